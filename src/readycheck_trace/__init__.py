"""A separate program that sends hop-limited packets through raw sockets and says who answered.

`python -m readycheck_trace` reads one JSON object on stdin and writes one on stdout:

    {"probes": [{"id": "a", "transport": "udp", "address": "192.0.2.1", "port": 5004, "ttl": 3,
                 "source_port": 40000, "tos": 184}],
     "timeout_ms": 1000, "interval_ms": 5}

    {"version": 1,
     "replies": {"a": {"reply": "time_exceeded", "code": 0, "from": "198.51.100.1", "ttl": 62,
                       "rtt_ms": 11.2, "source_port": 40000, "quoted_tos": 0, "quoted_source_port": 40000}}}

Request: `transport` is `udp` (12 bytes that look like an RTP header) or `tcp` (a SYN); `ttl` is 1 to 255;
`source_port` (0 or absent: one of its own for each probe) and `tos` (0 to 255) may be left out. All probes are
sent once, `interval_ms` apart; `timeout_ms` counts from the last one. At most 64 KiB and 512 probes.

Reply: `reply` is `time_exceeded`, `unreachable`, `rst`, `synack`, `udp`, or null when nothing came back, and then
all else is null but `source_port`, the port that was sent from. `code` is ICMP's, null for the last three; `from`
and `ttl` are of the packet that came back. `quoted_tos` and `quoted_source_port` are what the probe's own
header looked like where it ended, from the ICMP error: a marking that was rewritten on the way shows there.

What cannot be done is one object on stdout and exit status 3:

    {"error": {"code": "permission", "message": "..."}}

with the code `request` (not such an object), `permission` (CAP_NET_RAW is needed), `namespace`
(READYCHECK_ONLY_NETNS names another network), `platform` (raw sockets of this kind are Linux's),
`not-installed` (scapy), `network` (no route, interface down) or `internal` (a bug).

This program imports scapy, which is licensed under the GNU General Public License, version 2 only. It is
therefore a program of its own, which shares no code with readycheck and is started by it at most as a process;
its own source is under the MIT licence, which is compatible with that of scapy.
"""
