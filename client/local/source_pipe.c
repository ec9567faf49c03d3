/* SPDX-License-Identifier: Apache-2.0 */
/* A pipe, or whatever else stands behind a descriptor, as a source: read once, to its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/local/source_kind.h"

enum { POLL_MS = 100 };

struct source_pipe {
    struct source source;
    char *name; /* for messages */
    int fd;
    bool own;
};

/* Wait until something comes, or the end. */
static int wait_for(const struct source_pipe *p, const atomic_bool *stop, struct err *err)
{
    for (int waited = 0; waited < SOURCE_WAIT_MS; waited += POLL_MS) {
        struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
        int n;

        if (atomic_load(stop))
            return err_set(err, ERR_CANCELED, "interrupted");
        n = poll(&poll_fd, 1, POLL_MS);
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "cannot wait for '%s'", p->name);
    }
    return err_set(err, ERR_TIMEOUT, "nothing comes from '%s'", p->name);
}

static int read_pipe(struct source *s, const struct source_range *range, const atomic_bool *stop,
                     size_t *ret_len, struct err *err)
{
    const struct source_pipe *p = (const struct source_pipe *)s;

    for (;;) {
        int rc = wait_for(p, stop, err);
        ssize_t n;

        if (rc != ERR_OK)
            return rc;
        n = read(p->fd, range->to, range->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot read '%s'", p->name);
        *ret_len = (size_t)n;
        return ERR_OK;
    }
}

/* Its bytes are read once: there is no other state to compare. */
static int pipe_unchanged(struct source *s, struct err *err)
{
    (void)s;
    (void)err;
    return ERR_OK;
}

static void free_pipe(struct source *s)
{
    struct source_pipe *p = (struct source_pipe *)s;

    if (p->own)
        close(p->fd);
    free(p->name);
    free(p);
}

int source_pipe(int fd, bool own, const char *name, struct source **ret, struct err *err)
{
    static const struct source_kind kind = {
        .read = read_pipe, .unchanged = pipe_unchanged, .free = free_pipe};
    struct source_pipe *p = calloc(1, sizeof(*p));

    if (p != NULL)
        p->name = strdup(name);
    if (p == NULL || p->name == NULL) {
        free(p);
        if (own)
            close(fd);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    p->source.kind = &kind;
    p->source.facts.length = SOURCE_LENGTH_UNKNOWN;
    p->source.facts.kind = METADATA_FILE;
    p->fd = fd;
    p->own = own;
    *ret = &p->source;
    return ERR_OK;
}

int source_open_fd(int fd, struct source **ret, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
        return err_set(err, ERR_IO, "descriptor %d is not open for reading", fd);
    return source_pipe(fd, false, fd == STDIN_FILENO ? "standard input" : "a descriptor", ret, err);
}
