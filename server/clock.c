/* SPDX-License-Identifier: Apache-2.0 */
#include "server/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"

enum { FILE_MAX = 32, FILE_MODE = 0600 };

int clock_open(struct clock *ret_c, const char *path, struct err *err)
{
    struct clock c = {0};
    struct buf b = {0};
    char *end = NULL;
    int rc = fs_read(path, FILE_MAX, &b, err);

    if (rc == ERR_NOTFOUND) {
        *ret_c = c;
        return ERR_OK;
    }
    buf_u8(&b, 0);
    if (rc == ERR_OK)
        rc = buf_check(&b, err);
    if (rc == ERR_OK) {
        c.believed = strtoull((char *)b.data, &end, 10);
        if (end == (char *)b.data || strcmp(end, "\n") != 0)
            rc = err_set(err, ERR_CORRUPT, "'%s' does not hold a time", path);
    }
    if (rc == ERR_OK)
        *ret_c = c;
    buf_free(&b);
    return rc;
}

bool clock_tell(struct clock *c, uint64_t now)
{
    c->jumped = c->believed != 0 && now > c->believed && now - c->believed > CLOCK_JUMP_MS;
    if (!c->jumped)
        c->believed = now;
    return !c->jumped;
}

void clock_confirm(struct clock *c, uint64_t now)
{
    c->jumped = false;
    c->believed = now;
}

int clock_save(const char *path, uint64_t believed, struct err *err)
{
    char text[FILE_MAX];
    int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", believed);

    return fs_replace(path, text, (size_t)n, FILE_MODE, err);
}
