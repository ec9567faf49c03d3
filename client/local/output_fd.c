/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/output_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    POLL_MS = 100,
    STEP = 4096,         /* PIPE_BUF: poll() promises so much to one who would block */
    PIPE_BYTES = 1 << 20 /* what anybody may make of a pipe, unless an administrator says less */
};

/* A description of our own for the same pipe, whatever name it has or had. */
static int open_again(int fd)
{
    char path[40];
    int size = fcntl(fd, F_GETPIPE_SZ);

    if (size < 0)
        return -1;
    if (size < PIPE_BYTES)
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* as large as it was is good enough */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

void output_fd_begin(struct output_fd *o, int fd)
{
    *o = (struct output_fd){.fd = fd, .pipe = open_again(fd)};
}

void output_fd_end(struct output_fd *o)
{
    if (o->pipe >= 0)
        close(o->pipe);
    o->pipe = -1;
}

/* How much may be given to one write() that must not block for ever. */
static size_t step_of(const struct output_fd *o, size_t len)
{
    struct stat st;

    if (o->pipe >= 0 || len <= STEP || (fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode)))
        return len;
    return STEP;
}

int output_fd_write(const struct output_fd *o, struct part data, const atomic_bool *stop,
                    struct err *err)
{
    struct pollfd to = {.fd = o->pipe >= 0 ? o->pipe : o->fd, .events = POLLOUT};
    size_t most = step_of(o, data.len);
    const uint8_t *p = data.data;

    while (data.len > 0) {
        ssize_t n;

        if (atomic_load(stop))
            return err_set(err, ERR_CANCELED, "interrupted");
        if (poll(&to, 1, POLL_MS) == 0)
            continue;
        n = write(to.fd, p, data.len < most ? data.len : most);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot write");
        p += n;
        data.len -= (size_t)n;
    }
    return ERR_OK;
}
