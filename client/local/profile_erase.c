/* SPDX-License-Identifier: Apache-2.0 */
/* profile_erase(): the end of a profile on this machine. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/lock.h"
#include "client/local/profile_priv.h"
#include "client/local/vault.h"
#include "common/fs.h"

/* Only the folder of a profile has such files; anything else is not ours to remove. */
static int check_folder(const char *folder, struct err *err)
{
    struct stat st;

    if (lstat(folder, &st) != 0)
        return errno == ENOENT ? err_set(err, ERR_NOTFOUND, "there is no '%s'", folder)
                               : err_sys(err, errno, "cannot look at '%s'", folder);
    return S_ISDIR(st.st_mode) ? ERR_OK : err_set(err, ERR_REFUSED, "'%s' is not a folder", folder);
}

/* The key goes first: what is left after a crash can be opened by nobody. */
static int remove_all(const char *folder, struct err *err)
{
    int rc = vault_destroy(folder, err);

    if (rc == ERR_OK)
        rc = fs_remove_in(folder, "settings", err);
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, PROFILE_MARK, err);
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, "agent", err); /* a socket, where there is no runtime folder */
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, "lock", err);
    if (rc == ERR_OK && rmdir(folder) != 0 && errno != ENOENT) {
        rc = err_sys(err, errno, "cannot remove '%s'", folder);
        err_hint(err, "it holds files that are not the profile's; its keys are gone");
    }
    return rc;
}

int profile_erase(const char *folder, struct err *err)
{
    struct lock *lock = NULL;
    char *path = fs_join(folder, "lock");
    int rc = path != NULL ? check_folder(folder, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = lock_open(path, &lock, err);
    if (rc == ERR_OK)
        rc = lock_take(lock, VAULT_LOCK_MS, err);
    if (rc == ERR_OK) {
        rc = remove_all(folder, err);
        lock_give(lock);
    }
    lock_close(lock);
    free(path);
    return rc;
}
