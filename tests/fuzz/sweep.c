/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep FOLDER: every conversation of fuzz_conn's corpus, with each allocation
 * of the daemon failing once, until one passes in which none was left to fail.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "common/fs.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/nomem.h"

enum { NOMEM = 8, MOST = 255, MAX = 1 << 16 };

/* As ${raw}, with an item NOMEM in front of the others. */
static bool run(const struct buf *raw, uint8_t n)
{
    struct buf input = {0};

    buf_put(&input, raw->data, 1);
    buf_u8(&input, NOMEM);
    buf_u16(&input, 1);
    buf_u8(&input, n);
    buf_put(&input, raw->data + 1, raw->len - 1);
    MUST(buf_check(&input, NULL) == ERR_OK);
    (void)LLVMFuzzerTestOneInput(input.data, input.len);
    buf_free(&input);
    return nomem_failed();
}

static unsigned sweep(const char *path)
{
    struct buf raw = {0};
    unsigned n = 0;

    MUST(fs_read(path, MAX, &raw, NULL) == ERR_OK && raw.len > 0);
    while (n < MOST && run(&raw, (uint8_t)(n + 1)))
        n++;
    buf_free(&raw);
    return n;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    unsigned failed = 0;

    MUST(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        char *path = fs_join(argv[1], entry->d_name);

        MUST(path != NULL);
        if (entry->d_name[0] != '.')
            failed += sweep(path);
        free(path);
    }
    (void)closedir(dir);
    printf("%u allocations failed\n", failed);
    return failed > 0 ? 0 : 1;
}
