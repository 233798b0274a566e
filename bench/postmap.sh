# Inside a container of the lab's image, as root: what Postfix needs for one change of a virtual map.
# Arguments: how many addresses, how many changes. One line for each change: the seconds of its rebuild.
set -eu
cd /tmp
if [ ! -x postfix/usr/sbin/postmap ]; then
    apt-get update -qq
    apt-get download -qq -o APT::Sandbox::User=root postfix
    dpkg -x postfix_*.deb postfix
    mkdir -p conf
    getent passwd postfix >/dev/null || useradd --system --no-create-home postfix
    getent group postdrop >/dev/null || groupadd --system postdrop
    printf 'compatibility_level = 3.6\nmyhostname = bench.example\n' >conf/main.cf
fi
seq "$1" | sed 's/.*/user&@many.example user&\/Maildir\//' >virtual
TIMEFORMAT=%R
exec 2>&1
for change in $(seq "$2"); do
    echo "new$change@many.example new$change/Maildir/" >>virtual
    time postfix/usr/sbin/postmap -c conf hash:virtual
done
