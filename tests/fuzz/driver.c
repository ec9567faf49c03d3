/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files, or all files of folders, without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "common/fs.h"
#include "tests/fuzz/fuzz.h"

enum { MAX = 1 << 24 };

static size_t files;

static void run_file(const char *path)
{
    struct buf raw = {0};
    struct err err = {0};

    if (fs_read(path, MAX, &raw, &err) != ERR_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    (void)LLVMFuzzerTestOneInput(raw.data != NULL ? raw.data : (const uint8_t *)"", raw.len);
    buf_free(&raw);
    files++;
}

static void run_folder(const char *path, DIR *dir)
{
    const struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        char *file = entry->d_name[0] != '.' ? fs_join(path, entry->d_name) : NULL;

        if (file != NULL)
            run_file(file);
        free(file);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);

        if (dir == NULL) {
            run_file(argv[i]);
            continue;
        }
        run_folder(argv[i], dir);
        (void)closedir(dir);
    }
    printf("%zu inputs\n", files);
    return files > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
