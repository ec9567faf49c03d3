/* SPDX-License-Identifier: Apache-2.0 */
#undef _FORTIFY_SOURCE /* it would have a pread() of its own */

#include "tests/unit/disk_fails.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

enum { META_END = 8192 };

struct disk_fails disk_fails;

static bool spend(_Atomic int *n)
{
    if (*n == 0)
        return false;
    --*n;
    return true;
}

static int fail(int sys)
{
    errno = sys;
    return -1;
}

static bool is_log(int fd)
{
    return disk_fails.log_fd != 0 && fd == disk_fails.log_fd;
}

SHOWN ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    if (is_log(fd)) {
        if (spend(&disk_fails.log))
            return fail(EIO);
    } else if (at >= META_END) {
        if (spend(&disk_fails.data))
            return fail(ENOSPC);
    } else if (spend(&disk_fails.meta_done)) {
        (void)syscall(SYS_pwrite64, fd, buf, len, at);
        return fail(EIO);
    } else if (spend(&disk_fails.meta)) {
        return fail(disk_fails.meta_error != 0 ? disk_fails.meta_error : EIO);
    }
    return syscall(SYS_pwrite64, fd, buf, len, at);
}

SHOWN ssize_t writev(int fd, const struct iovec *iov, int n)
{
    return spend(&disk_fails.data) ? fail(ENOSPC) : syscall(SYS_writev, fd, iov, n);
}

SHOWN int fdatasync(int fd)
{
    bool fails = spend(is_log(fd) ? &disk_fails.log_sync : &disk_fails.sync);

    return fails ? fail(EIO) : (int)syscall(SYS_fdatasync, fd);
}

SHOWN ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
    return is_log(fd) && spend(&disk_fails.log_read) ? fail(EIO)
                                                     : syscall(SYS_pread64, fd, buf, len, at);
}
