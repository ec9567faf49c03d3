/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/addr.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

enum { LABEL_MAX = 63, PORT_DIGITS = 5, ZONE_MAX = 15 /* IFNAMSIZ less the NUL */ };

static bool is_v4(const char *host)
{
    struct sockaddr_in sa;

    return uv_ip4_addr(host, 0, &sa) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

/* What stands behind '%' (RFC 4007 section 11): the name or number of an interface. */
static bool is_zone(const char *zone)
{
    size_t len = strlen(zone);

    for (const char *p = zone; *p != '\0'; p++)
        if (!is_name_char(*p) && *p != '.')
            return false;
    return len > 0 && len <= ZONE_MAX;
}

/* libuv cuts an address before a zone that is too long, and takes any zone: so look at each part.
 */
static bool is_v6(const char *host)
{
    const char *percent = strchr(host, '%');
    size_t len = percent != NULL ? (size_t)(percent - host) : strlen(host);
    char bare[INET6_ADDRSTRLEN];
    struct sockaddr_in6 sa;

    if (len >= sizeof(bare) || (percent != NULL && !is_zone(percent + 1)))
        return false;
    memcpy(bare, host, len);
    bare[len] = '\0';
    return strchr(bare, ':') != NULL && uv_ip6_addr(bare, 0, &sa) == 0 &&
           uv_ip6_addr(host, 0, &sa) == 0;
}

/* Labels of 1 to 63 characters between dots; one dot may stand at the end. */
static bool is_name(const char *host)
{
    bool numeric = true; /* the last label has only digits */
    size_t label = 0;

    for (const char *p = host; *p != '\0'; p++) {
        if (*p == '.') {
            if (label == 0)
                return false;
            if (p[1] != '\0')
                numeric = true;
            label = 0;
            continue;
        }
        if (!is_name_char(*p) || (*p == '-' && label == 0) || ++label > LABEL_MAX)
            return false;
        numeric = numeric && is_digit(*p);
    }
    /* A mistyped IPv4 address is not a name: no top-level domain is a number. */
    return host[0] != '\0' && !numeric;
}

static int parse_port(const char *text, bool listen, uint16_t *ret, struct err *err)
{
    unsigned long port = 0;
    size_t n = 0;

    for (; is_digit(text[n]) && n < PORT_DIGITS; n++)
        port = port * 10 + (unsigned long)(text[n] - '0');
    if (n == 0 || text[n] != '\0' || port > UINT16_MAX || (port == 0 && !listen))
        return err_set(err, ERR_INVALID, "'%.32s' is not a port", text);
    *ret = (uint16_t)port;
    return ERR_OK;
}

/* Cut ${text} into the host and what follows it: ${ret_port} is NULL when no port is named. */
static int split(const char *text, char host[ADDR_HOST_MAX + 1], const char **ret_port,
                 struct err *err)
{
    const char *colon = strchr(text, ':'), *start = text, *end = NULL, *port = NULL;

    if (text[0] == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return err_set(err, ERR_INVALID, "'%.300s' lacks the closing bracket", text);
        port = end[1] == ':' ? end + 2 : NULL;
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        end = text + strlen(text); /* a bare IPv6 address has no room for a port */
    } else {
        end = colon != NULL ? colon : text + strlen(text);
        port = colon != NULL ? colon + 1 : NULL;
    }
    if (end - start > ADDR_HOST_MAX)
        return err_set(err, ERR_INVALID, "the host is longer than %d characters", ADDR_HOST_MAX);
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *ret_port = port;
    return ERR_OK;
}

static int parse(struct addr *ret, const char *text, bool listen, struct err *err)
{
    struct addr a = {.port = ADDR_PORT};
    const char *port = NULL;
    bool v6 = false;
    int rc = split(text, a.host, &port, err);

    if (rc != ERR_OK)
        return rc;
    v6 = is_v6(a.host);
    a.literal = v6 || is_v4(a.host);
    if (text[0] == '[' && !v6)
        return err_set(err, ERR_INVALID, "'%.253s' is not an IPv6 address", a.host);
    if (!a.literal && (listen || !is_name(a.host)))
        return err_set(err, ERR_INVALID, "'%.253s' is not %s", a.host,
                       listen ? "an IPv4 or IPv6 address" : "a host name or address");
    if (port != NULL)
        rc = parse_port(port, listen, &a.port, err);
    if (rc == ERR_OK)
        *ret = a;
    return rc;
}

int addr_parse(struct addr *ret, const char *text, struct err *err)
{
    return parse(ret, text, false, err);
}

int addr_parse_listen(struct addr *ret, const char *text, struct err *err)
{
    return parse(ret, text, true, err);
}

void addr_format(const struct addr *a, char ret_text[ADDR_TEXT])
{
    bool v6 = strchr(a->host, ':') != NULL;

    (void)snprintf(ret_text, ADDR_TEXT, "%s%s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "",
                   (unsigned)a->port);
}

int addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret, struct err *err)
{
    struct sockaddr_storage sa = {0};

    if (uv_ip4_addr(a->host, a->port, (struct sockaddr_in *)&sa) != 0 &&
        uv_ip6_addr(a->host, a->port, (struct sockaddr_in6 *)&sa) != 0)
        return err_set(err, ERR_INVALID, "'%s' is not an IPv4 or IPv6 address", a->host);
    *ret = sa;
    return ERR_OK;
}

int addr_from_sockaddr(struct addr *ret, const struct sockaddr *sa, struct err *err)
{
    struct addr a = {.literal = true};

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

        (void)uv_ip4_name(in, a.host, sizeof(a.host));
        a.port = ntohs(in->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

        (void)uv_ip6_name(in6, a.host, sizeof(a.host));
        a.port = ntohs(in6->sin6_port);
    } else {
        return err_set(err, ERR_INVALID, "neither IPv4 nor IPv6");
    }
    *ret = a;
    return ERR_OK;
}
