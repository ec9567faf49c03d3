/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them; what is read is written in one way and read again the same. */
#include <string.h>

#include <netinet/in.h>

#include "common/net/addr.h"
#include "tests/fuzz/fuzz.h"

static void check_host(const struct addr *a)
{
    size_t len = strlen(a->host);

    MUST(len > 0 && len <= ADDR_HOST_MAX);
    MUST(strpbrk(a->host, "[]/@ \t\r\n") == NULL);
}

static const void *bytes_of(const struct sockaddr_storage *sa)
{
    return sa->ss_family == AF_INET
               ? (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr
               : (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
}

/* Through the system's form, which is what a listener reports. */
static void through_socket(const struct addr *a)
{
    struct sockaddr_storage sa, second;
    struct addr again;

    MUST((addr_to_sockaddr(a, &sa, NULL) == ERR_OK) == a->literal);
    if (!a->literal)
        return;
    MUST(addr_from_sockaddr(&again, (const struct sockaddr *)&sa, NULL) == ERR_OK);
    MUST(again.literal && again.port == a->port);
    MUST(addr_to_sockaddr(&again, &second, NULL) == ERR_OK && second.ss_family == sa.ss_family);
    MUST(memcmp(bytes_of(&sa), bytes_of(&second), sa.ss_family == AF_INET ? 4 : 16) == 0);
}

static void through_text(const struct addr *a)
{
    char text[ADDR_TEXT];
    struct addr again;

    addr_format(a, text);
    MUST(strlen(text) < sizeof(text));
    MUST(addr_parse(&again, text, NULL) == ERR_OK);
    MUST(again.port == a->port && again.literal == a->literal && strcmp(again.host, a->host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct addr a, listen;
    struct err err;
    bool connects;

    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    connects = addr_parse(&a, text, &err) == ERR_OK;
    if (connects) {
        check_host(&a);
        MUST(a.port > 0);
        through_text(&a);
        through_socket(&a);
    }
    if (addr_parse_listen(&listen, text, &err) == ERR_OK) {
        MUST(listen.literal);
        MUST(connects || listen.port == 0);
        through_socket(&listen);
    }
    free(text);
    return 0;
}
