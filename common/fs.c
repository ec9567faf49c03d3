/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open a regular file and learn its size, refusing more than ${max} bytes. */
static int open_sized(const char *path, size_t max, int *ret_fd, size_t *ret_len, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOTFOUND, "'%s' does not exist", path);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    if (fstat(fd, &st) != 0) {
        int rc = err_sys(err, errno, "cannot look at '%s'", path);

        close(fd);
        return rc;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_IO, "'%s' is not a regular file", path);
    }
    if ((uint64_t)st.st_size > max) {
        close(fd);
        return err_set(err, ERR_TOOLARGE, "'%s' is larger than %zu bytes", path, max);
    }
    *ret_fd = fd;
    *ret_len = (size_t)st.st_size;
    return ERR_OK;
}

static int read_exactly(int fd, const char *path, uint8_t *to, size_t len, struct err *err)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, to + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot read '%s'", path);
        if (n == 0)
            return err_set(err, ERR_IO, "'%s' became shorter while it was read", path);
        got += (size_t)n;
    }
    return ERR_OK;
}

int fs_read(const char *path, size_t max, struct buf *out, struct err *err)
{
    size_t len = 0;
    uint8_t *to;
    int fd = -1;
    int rc = open_sized(path, max, &fd, &len, err);

    if (rc != ERR_OK)
        return rc;
    to = buf_reserve(out, len);
    rc = buf_check(out, err);
    if (rc == ERR_OK && len > 0)
        rc = read_exactly(fd, path, to, len, err);
    if (rc == ERR_OK)
        out->len += len;
    close(fd);
    return rc;
}

int fs_read_secret(const char *path, size_t max, struct secret *out, struct err *err)
{
    struct secret s = {0};
    size_t len = 0;
    int fd = -1;
    int rc = open_sized(path, max, &fd, &len, err);

    if (rc != ERR_OK)
        return rc;
    rc = secret_new(&s, len, err);
    if (rc == ERR_OK)
        rc = read_exactly(fd, path, s.data, len, err);
    if (rc == ERR_OK)
        secret_move(out, &s);
    secret_free(&s);
    close(fd);
    return rc;
}

int fs_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const uint8_t *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot write");
        p += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

int fs_sync_dir(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = ERR_OK;

    if (fd < 0)
        return err_sys(err, errno, "cannot open folder '%s'", path);
    if (fsync(fd) != 0)
        rc = err_sys(err, errno, "cannot sync folder '%s'", path);
    close(fd);
    return rc;
}

int fs_sync_parent(const char *path, struct err *err)
{
    char *copy = strdup(path);
    int rc;

    if (copy == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rc = fs_sync_dir(dirname(copy), err);
    free(copy);
    return rc;
}

/* Write a temporary file beside ${path}; ${ret_tmp} is its name, to be freed. */
static int write_temporary(const char *path, const void *data, size_t len, mode_t mode,
                           char **ret_tmp, struct err *err)
{
    char *tmp = NULL;
    int rc, fd;

    if (asprintf(&tmp, "%s.tmp-XXXXXX", path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        rc = err_sys(err, errno, "cannot create '%s'", tmp);
        free(tmp);
        return rc;
    }
    rc = fs_write_all(fd, data, len, err);
    if (rc == ERR_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        rc = err_sys(err, errno, "cannot sync");
    if (close(fd) != 0 && rc == ERR_OK)
        rc = err_sys(err, errno, "cannot close");
    if (rc != ERR_OK) {
        err_wrap(err, "'%s'", path);
        (void)unlink(tmp);
        free(tmp);
        return rc;
    }
    *ret_tmp = tmp;
    return ERR_OK;
}

int fs_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    char *tmp = NULL;
    int rc = write_temporary(path, data, len, mode, &tmp, err);

    if (rc != ERR_OK)
        return rc;
    if (rename(tmp, path) != 0) {
        rc = err_sys(err, errno, "cannot rename to '%s'", path);
        (void)unlink(tmp);
    }
    free(tmp);
    return rc == ERR_OK ? fs_sync_parent(path, err) : rc;
}

int fs_create(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    char *tmp = NULL;
    int rc = write_temporary(path, data, len, mode, &tmp, err);

    if (rc != ERR_OK)
        return rc;
    /* link() refuses an existing name, which rename() does not. */
    if (link(tmp, path) != 0)
        rc = errno == EEXIST ? err_set(err, ERR_EXISTS, "'%s' exists already", path)
                             : err_sys(err, errno, "cannot create '%s'", path);
    (void)unlink(tmp);
    free(tmp);
    return rc == ERR_OK ? fs_sync_parent(path, err) : rc;
}

int fs_remove(const char *path, struct err *err)
{
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK
                                                : err_sys(err, errno, "cannot remove '%s'", path);
}

int fs_remove_in(const char *folder, const char *name, struct err *err)
{
    char *path = fs_join(folder, name);
    int rc = path != NULL ? fs_remove(path, err) : err_set(err, ERR_NOMEM, "out of memory");

    free(path);
    return rc;
}

/* One folder, unless it is there. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return ERR_OK;
    if (errno != EEXIST)
        return err_sys(err, errno, "cannot create folder '%s'", path);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode)
               ? ERR_OK
               : err_set(err, ERR_EXISTS, "'%s' is there, and is not a folder", path);
}

int fs_mkdirs(const char *path, mode_t mode, struct err *err)
{
    char *copy = strdup(path);
    int rc = ERR_OK;

    if (copy == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (char *p = copy + 1; rc == ERR_OK && *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        rc = make_dir(copy, mode, err);
        *p = '/';
    }
    if (rc == ERR_OK)
        rc = make_dir(copy, mode, err);
    free(copy);
    return rc;
}

int fs_next_entry(DIR *d, const char *path, struct dirent **ret, struct err *err)
{
    struct dirent *e;

    errno = 0;
    e = readdir(d);
    if (e == NULL && errno != 0)
        return err_sys(err, errno, "cannot read '%s'", path);
    *ret = e;
    return ERR_OK;
}

char *fs_join(const char *dir, const char *name)
{
    char *path = NULL;

    size_t len = strlen(dir);
    const char *between = len > 0 && dir[len - 1] == '/' ? "" : "/";

    return asprintf(&path, "%s%s%s", dir, between, name) < 0 ? NULL : path;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
