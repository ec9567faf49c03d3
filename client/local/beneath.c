/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COMPONENT_MAX = 255 };

static bool is_component(const char *s, size_t len)
{
    return len > 0 && len <= COMPONENT_MAX && !(len == 1 && s[0] == '.') &&
           !(len == 2 && s[0] == '.' && s[1] == '.');
}

/* A link in the place of a folder is ENOTDIR, at the end ELOOP. */
static int open_steps(int dir, const char *path, int flags, mode_t mode)
{
    char name[COMPONENT_MAX + 1];
    int at = dir, fd = -1, why;

    for (;;) {
        size_t len = strcspn(path, "/");

        if (!is_component(path, len)) {
            errno = EXDEV;
            break;
        }
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
        if (path[len] == '\0') {
            fd = openat(at, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
            break;
        }
        fd = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            break;
        if (at != dir)
            close(at);
        at = fd;
        fd = -1;
        path += len + 1;
    }
    why = errno;
    if (at != dir)
        close(at);
    errno = why;
    return fd;
}

int beneath_open(int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                           .mode = mode,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_steps(dir, path, flags, mode);
    return (int)fd;
}

bool beneath_link_stays(const char *target, size_t depth)
{
    bool front = true;

    if (target[0] == '\0' || target[0] == '/')
        return false;
    while (*target != '\0') {
        size_t len = strcspn(target, "/");

        if (len == 2 && memcmp(target, "..", 2) == 0) {
            if (!front || depth-- == 0)
                return false;
        } else if (len > 0 && !(len == 1 && target[0] == '.')) {
            front = false;
        }
        target += len;
        target += strspn(target, "/");
    }
    return true;
}
