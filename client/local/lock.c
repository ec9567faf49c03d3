/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct lock {
    pthread_mutex_t mutex;
    int fd;
};

int lock_open(const char *path, struct lock **ret, struct err *err)
{
    struct lock *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0) {
        int sys = errno;

        free(l);
        return err_sys(err, sys, "cannot open '%s'", path);
    }
    pthread_mutex_init(&l->mutex, NULL);
    *ret = l;
    return ERR_OK;
}

void lock_close(struct lock *l)
{
    if (l == NULL)
        return;
    close(l->fd);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

/* flock() has no time limit of its own. */
static int lock_file(int fd, unsigned ms, struct err *err)
{
    const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};

    for (unsigned waited = 0;; waited += 5) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return ERR_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, errno, "cannot lock the profile");
        if (waited >= ms)
            break;
        (void)nanosleep(&nap, NULL);
    }
    err_set(err, ERR_LOCKED, "the profile is locked by another satchel");
    err_hint(err, "try again when it has finished");
    return ERR_LOCKED;
}

int lock_take(struct lock *l, unsigned ms, struct err *err)
{
    struct timespec until;
    int rc;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    if (pthread_mutex_timedlock(&l->mutex, &until) != 0)
        return err_set(err, ERR_LOCKED, "the profile is locked by another thread");
    rc = lock_file(l->fd, ms, err);
    if (rc != ERR_OK)
        pthread_mutex_unlock(&l->mutex);
    return rc;
}

void lock_give(struct lock *l)
{
    (void)flock(l->fd, LOCK_UN);
    pthread_mutex_unlock(&l->mutex);
}
