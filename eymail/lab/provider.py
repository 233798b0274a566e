"""The hosted provider's own mail store: every address it is sent mail for, one known password."""

from __future__ import annotations


def dovecot_conf(release: str) -> str:
    """Dovecot's configuration in the language of this Debian release's Dovecot."""
    return _DOVECOT_2_3 if release == "bookworm" else _DOVECOT_2_4


_DOVECOT_2_3 = """\
protocols = imap lmtp
listen = *
log_path = /var/log/dovecot.log
ssl = yes
ssl_cert = </etc/ssl/eymail/cert.pem
ssl_key = </etc/ssl/eymail/key.pem
disable_plaintext_auth = yes
auth_username_format = %Lu
mail_location = maildir:/var/vmail/%d/%n/Maildir
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 5000
passdb {
  driver = static
  args = password=provided-mail
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%d/%n allow_all_users=yes
}
service lmtp {
  unix_listener lmtp {
    mode = 0600
  }
}
namespace inbox {
  inbox = yes
}
"""

_DOVECOT_2_4 = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap lmtp
listen = *
log_path = /var/log/dovecot.log
ssl = yes
ssl_server_cert_file = /etc/ssl/eymail/cert.pem
ssl_server_key_file = /etc/ssl/eymail/key.pem
auth_allow_cleartext = no
auth_username_format = %{user | lower}
mail_driver = maildir
mail_home = /var/vmail/%{user | domain}/%{user | username}
mail_path = ~/Maildir
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 5000
passdb static {
  password = provided-mail
}
userdb static {
  fields {
    uid = vmail
    gid = vmail
    home = /var/vmail/%{user | domain}/%{user | username}
  }
  static_allow_all_users = yes
}
service lmtp {
  unix_listener lmtp {
    mode = 0600
  }
}
namespace inbox {
  inbox = yes
}
"""
