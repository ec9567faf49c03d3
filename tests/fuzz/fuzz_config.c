/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files: what the reader accepts, the writer writes, and both mean the same. */
#include <string.h>

#include "server/settings.h"
#include "tests/fuzz/fuzz.h"

static void dump(const struct settings *s, bool explain, struct buf *out)
{
    MUST(config_dump(&settings_schema, s, explain, out, NULL) == ERR_OK);
}

static void round_trip(const struct settings *s, bool explain)
{
    struct buf once = {0}, twice = {0};
    struct config_report rep;
    struct settings again;

    dump(s, explain, &once);
    MUST(config_parse(&settings_schema, (const char *)once.data, once.len, &again, &rep) == ERR_OK);
    dump(&again, explain, &twice);
    MUST(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    settings_free(&again);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_report rep;
    struct settings s;
    int rc = config_parse(&settings_schema, (const char *)data, size, &s, &rep);

    if (rc == ERR_OK) {
        MUST(rep.total == 0);
        round_trip(&s, false);
        round_trip(&s, true);
    } else {
        MUST(rep.total > 0 && rep.n <= CONFIG_MAX_PROBLEMS && rep.items[0].msg[0] != '\0');
    }
    settings_free(&s);
    return 0;
}
