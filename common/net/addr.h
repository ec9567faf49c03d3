/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr - where a daemon listens: a host and a port, and their text
 *
 *     HOST  HOST:PORT  V4:PORT  [V6]  [V6]:PORT  V6
 *
 * HOST is a DNS name (RFC 1123: letters, digits, hyphens; underscores are
 * let through) or an address.  Nothing here asks a resolver.  Threads: any.
 */
#ifndef COMMON_NET_ADDR_H
#define COMMON_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

enum {
    ADDR_PORT = 7743,              /* when the text names none */
    ADDR_HOST_MAX = 253,           /* longest DNS name */
    ADDR_TEXT = ADDR_HOST_MAX + 10 /* "[" host "]:65535" and a NUL */
};

struct addr {
    char host[ADDR_HOST_MAX + 1]; /* without brackets */
    uint16_t port;
    bool literal; /* the host is an IPv4 or IPv6 address */
};

/* Read an address to connect to; the port is 1 to 65535, ADDR_PORT when left out.  ERR_INVALID. */
MUST_CHECK int addr_parse(struct addr *ret, const char *text, struct err *err);

/* As addr_parse(), for listening: the host must be an address, and port 0 (any) is allowed. */
MUST_CHECK int addr_parse_listen(struct addr *ret, const char *text, struct err *err);

/* The shortest text that addr_parse() reads back, always with the port. */
void addr_format(const struct addr *a, char ret_text[ADDR_TEXT]);

/* The socket address of a literal one.  ERR_INVALID when it is a name. */
MUST_CHECK int addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret,
                                struct err *err);

/* From what the system gives for a peer or a bound socket.  ERR_INVALID: neither IPv4 nor IPv6. */
MUST_CHECK int addr_from_sockaddr(struct addr *ret, const struct sockaddr *sa, struct err *err);

#endif /* COMMON_NET_ADDR_H */
