/* SPDX-License-Identifier: Apache-2.0 */
/* A folder's archive: whatever it holds, nothing is made beside the folder, and in it only what may
 * be there. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/beneath.h"
#include "client/local/unpack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

static int look(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    char target[PATH_MAX];
    ssize_t n;

    (void)kind;
    MUST(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
    if (S_ISDIR(st->st_mode))
        MUST(chmod(path, 0700) == 0); /* to look into it, and to remove it */
    if (!S_ISLNK(st->st_mode)) {
        MUST((st->st_mode & 07000) == 0);
        return 0;
    }
    n = readlink(path, target, sizeof(target) - 1);
    MUST(n > 0);
    target[n] = '\0';
    MUST(beneath_link_stays(target, (size_t)at->level - 2)); /* the scratch folder, the top */
    return 0;
}

static void feed(struct unpack *u, const uint8_t *data, size_t size)
{
    static const atomic_bool go_on;
    size_t half = size / 2;

    if (unpack_write(u, part(data, half), &go_on, NULL) == ERR_OK &&
        unpack_write(u, part(data + half, size - half), &go_on, NULL) == ERR_OK &&
        unpack_end(u, NULL) == ERR_OK)
        return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[SCRATCH_PATH], in[SCRATCH_PATH + 8];
    struct unpack *u = NULL;
    struct stat st;
    int fd;

    scratch_make(path);
    (void)snprintf(in, sizeof(in), "%s/in", path);
    MUST(mkdir(in, 0700) == 0);
    fd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0 && unpack_new(fd, "top", &u, NULL) == ERR_OK);
    feed(u, data, size);
    unpack_free(u);
    close(fd);
    MUST(stat(path, &st) == 0 && st.st_nlink <= 3); /* no folder beside it */
    MUST(nftw(path, look, 16, FTW_PHYS) == 0);
    scratch_remove(path);
    return 0;
}
