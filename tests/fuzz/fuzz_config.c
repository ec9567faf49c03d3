/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings files.  The first byte says which schema reads the rest: the
 * daemon's, or one with every type.  What is accepted is written, read again
 * and written the same.
 */
#include <string.h>

#include "server/settings.h"
#include "tests/fuzz/fuzz.h"

struct every {
    char *text, *needed;
    bool flag;
    uint64_t number, size, time;
    unsigned word;
    struct config_list list;
};

#define AT(member) offsetof(struct every, member)

static const char *const words[] = {"one", "two", "three", NULL};
static const struct config_option options[] = {
    {"a", "text", CONFIG_STRING, AT(text), 0, 40, NULL, NULL, false, "optional"},
    {"a", "needed", CONFIG_STRING, AT(needed), 1, 40, NULL, NULL, true, "required"},
    {"a", "flag", CONFIG_BOOL, AT(flag), 0, 0, NULL, "yes", false, "a switch"},
    {"a", "number", CONFIG_INT, AT(number), 0, UINT64_MAX, NULL, "7", false, "any number"},
    {"b", "size", CONFIG_SIZE, AT(size), 0, UINT64_MAX, NULL, "3k", false, "any size"},
    {"b", "time", CONFIG_DURATION, AT(time), 0, UINT64_MAX, NULL, "2m", false, "any time"},
    {"b", "word", CONFIG_ENUM, AT(word), 0, 0, words, "two", false, "one of them"},
    {"b", "list", CONFIG_LIST, AT(list), 0, 5, NULL, "x, y", false, "some"},
};
static const struct config_schema every_schema = {options, sizeof(options) / sizeof(options[0]),
                                                  sizeof(struct every), NULL};

union values {
    struct every every;
    struct settings settings;
};

static void check_report(const struct config_report *rep)
{
    MUST(rep->n > 0 && rep->n <= CONFIG_MAX_PROBLEMS && rep->n <= rep->total);
    for (size_t i = 0; i < rep->n; i++) {
        MUST(rep->items[i].msg[0] != '\0');
        MUST(memchr(rep->items[i].msg, '\0', sizeof(rep->items[i].msg)) != NULL);
        MUST(memchr(rep->items[i].hint, '\0', sizeof(rep->items[i].hint)) != NULL);
    }
}

static void round_trip(const struct config_schema *schema, const union values *v, bool explain)
{
    static struct config_report rep;
    struct buf first = {0}, second = {0};
    union values again = {0};

    MUST(config_dump(schema, v, explain, &first, NULL) == ERR_OK);
    MUST(config_parse(schema, (const char *)first.data, first.len, &again, &rep) == ERR_OK);
    MUST(config_dump(schema, &again, explain, &second, NULL) == ERR_OK);
    MUST(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    config_free(schema, &again);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const union values zero;
    static struct config_report rep;
    const struct config_schema *schema;
    union values v = {0};
    int rc;

    if (size == 0)
        return 0;
    schema = (data[0] & 1) != 0 ? &settings_schema : &every_schema;
    rc = config_parse(schema, (const char *)data + 1, size - 1, &v, &rep);
    if (rc == ERR_OK) {
        round_trip(schema, &v, false);
        round_trip(schema, &v, true);
        config_free(schema, &v);
    } else {
        MUST(rc == ERR_INVALID);
        check_report(&rep);
    }
    MUST(memcmp(&v, &zero, schema->size) == 0);
    return 0;
}
