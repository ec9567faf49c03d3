/* SPDX-License-Identifier: Apache-2.0 */
/* addr: texts of hosts and ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "common/net/addr.h"

struct good {
    const char *text, *host, *back;
    int port;
    bool literal;
};

static const struct good goods[] = {
    {"example.org", "example.org", "example.org:7743", 7743, false},
    {"example.org:80", "example.org", "example.org:80", 80, false},
    {"example.org.:1", "example.org.", "example.org.:1", 1, false},
    {"a-b_c.4u", "a-b_c.4u", "a-b_c.4u:7743", 7743, false},
    {"127.0.0.1", "127.0.0.1", "127.0.0.1:7743", 7743, true},
    {"127.0.0.1:65535", "127.0.0.1", "127.0.0.1:65535", 65535, true},
    {"[::1]", "::1", "[::1]:7743", 7743, true},
    {"[2001:db8::1]:443", "2001:db8::1", "[2001:db8::1]:443", 443, true},
    {"::1", "::1", "[::1]:7743", 7743, true},
    {"2001:db8::1:443", "2001:db8::1:443", "[2001:db8::1:443]:7743", 7743, true},
    {"[::ffff:192.0.2.1]:9", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:9", 9, true},
    {"fe80::1%eth0.7", "fe80::1%eth0.7", "[fe80::1%eth0.7]:7743", 7743, true},
};

static const char *const bads[] = {
    "",
    ":7743",
    "host:",
    "host:0",
    "host:65536",
    "host:+1",
    "host:1x",
    "host:000001",
    "host:-1",
    "[",
    "[]",
    "[::1",
    "[::1]x",
    "[::1]:",
    "[127.0.0.1]:1",
    "[host]:1",
    "::g",
    "a:b:c",
    "a b",
    "-a.org",
    "a..b",
    ".a",
    "a/b",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.4.5",
    "12345",
    "a@b",
    "h\xc3\xa9",
    "[::1%]:2:3",
    "::1%",
    "::1%a b",
    "::1%\n",
    "::1%a%b",
    "::1%0123456789abcdef",
    "2001:0db8:0000:0000:0000:0000:0000:0001garbage%lo",
};

static void test_good(void **state)
{
    char text[ADDR_TEXT];
    struct addr a, again;

    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        assert_int_equal(addr_parse(&a, goods[i].text, NULL), ERR_OK);
        assert_string_equal(a.host, goods[i].host);
        assert_int_equal(a.port, goods[i].port);
        assert_int_equal(a.literal, goods[i].literal);
        addr_format(&a, text);
        assert_string_equal(text, goods[i].back);
        assert_int_equal(addr_parse(&again, text, NULL), ERR_OK);
        assert_string_equal(again.host, a.host);
        assert_int_equal(again.port, a.port);
    }
}

static void test_bad(void **state)
{
    struct addr a = {.host = "untouched", .port = 5};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        err.msg[0] = '\0';
        if (addr_parse(&a, bads[i], &err) != ERR_INVALID)
            fail_msg("'%s' was accepted", bads[i]);
        assert_true(err.msg[0] != '\0');
        assert_string_equal(a.host, "untouched");
        assert_int_equal(a.port, 5);
    }
}

static void test_lengths(void **state)
{
    char text[400];
    struct addr a;

    (void)state;
    /* 253 characters: three labels of 63 and one of 61. */
    (void)snprintf(text, sizeof(text), "%063d.%063d.%063d.%061d:65535", 0, 0, 0, 0);
    for (char *p = text; *p != ':'; p++)
        *p = *p == '.' ? '.' : 'x';
    assert_int_equal(addr_parse(&a, text, NULL), ERR_OK);
    assert_int_equal(strlen(a.host), ADDR_HOST_MAX);
    addr_format(&a, text);
    assert_int_equal(strlen(text), ADDR_HOST_MAX + 6);

    memmove(text + 1, text, strlen(text) + 1);
    assert_int_equal(addr_parse(&a, text, NULL), ERR_INVALID);
    memset(text, 'y', 64);
    text[64] = '\0';
    assert_int_equal(addr_parse(&a, text, NULL), ERR_INVALID);
    memset(text, ':', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(addr_parse(&a, text, NULL), ERR_INVALID);
}

static void test_listen(void **state)
{
    struct addr a;

    (void)state;
    assert_int_equal(addr_parse_listen(&a, "127.0.0.1:0", NULL), ERR_OK);
    assert_int_equal(a.port, 0);
    assert_int_equal(addr_parse_listen(&a, "[::]", NULL), ERR_OK);
    assert_int_equal(a.port, ADDR_PORT);
    assert_int_equal(addr_parse_listen(&a, "localhost:1", NULL), ERR_INVALID);
    assert_int_equal(addr_parse_listen(&a, "127.0.0.1:65536", NULL), ERR_INVALID);
}

static void test_sockaddr(void **state)
{
    struct sockaddr_storage sa;
    struct sockaddr_in *in = (struct sockaddr_in *)&sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
    struct addr a, back;

    (void)state;
    assert_int_equal(addr_parse(&a, "192.0.2.1:99", NULL), ERR_OK);
    assert_int_equal(addr_to_sockaddr(&a, &sa, NULL), ERR_OK);
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 99);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0xc0000201);
    assert_int_equal(addr_from_sockaddr(&back, (struct sockaddr *)&sa, NULL), ERR_OK);
    assert_string_equal(back.host, "192.0.2.1");

    assert_int_equal(addr_parse(&a, "[2001:db8::9]:99", NULL), ERR_OK);
    assert_int_equal(addr_to_sockaddr(&a, &sa, NULL), ERR_OK);
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(addr_from_sockaddr(&back, (struct sockaddr *)&sa, NULL), ERR_OK);
    assert_string_equal(back.host, "2001:db8::9");
    assert_int_equal(back.port, 99);
    assert_true(back.literal);

    assert_int_equal(addr_parse(&a, "example.org", NULL), ERR_OK);
    assert_int_equal(addr_to_sockaddr(&a, &sa, NULL), ERR_INVALID);
    sa.ss_family = AF_UNIX;
    assert_int_equal(addr_from_sockaddr(&back, (struct sockaddr *)&sa, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_listen),
        cmocka_unit_test(test_sockaddr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
