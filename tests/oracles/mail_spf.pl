# Mail::SPF as an oracle: a case a line on stdin, JSON; look-ups are asked back on stdout.
#   -> {"ip", "sender", "helo"}     <- {"ask": [NAME, TYPE]}  -> {"wire": HEX or null for silence}  ...
#                                   <- {"result", "explanation"}
use strict;
use warnings;
use JSON::PP;
use Mail::SPF;
use Net::DNS::Packet;

$| = 1;
my $json = JSON::PP->new->ascii;

package Asked {
    sub new { return bless {error => ''}, shift }
    sub errorstring { return $_[0]{error} }
    sub send {
        my ($self, $name, $type) = @_;
        print $json->encode({ask => [$name, $type]}), "\n";
        my $wire = $json->decode(scalar <STDIN>)->{wire};
        $self->{error} = defined $wire ? '' : 'timeout';
        return undef unless defined $wire;
        my $packed = pack 'H*', $wire;
        return scalar Net::DNS::Packet->new(\$packed);
    }
}

# Of several "@" the last divides: a quoted local part may hold others.
sub check {
    my ($case) = @_;
    my $helo = $case->{sender} eq '';
    my $server = Mail::SPF::Server->new(
        dns_resolver => Asked->new, default_authority_explanation => '', hostname => 'unknown',
    );
    my $request = Mail::SPF::Request->new(
        versions => [1], scope => $helo ? 'helo' : 'mfrom',
        identity => $helo ? $case->{helo} : $case->{sender},
        ip_address => $case->{ip}, helo_identity => $case->{helo},
    );
    my $result = $server->process($request);
    my $explanation = $result->is_code('fail') ? $result->authority_explanation : '';
    return {result => $result->code, explanation => "$explanation"};
}

while (my $line = <STDIN>) {
    my $told = eval { check($json->decode($line)) };
    print $json->encode($told // {result => "crash: $@", explanation => ''}), "\n";
}
