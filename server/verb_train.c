/* SPDX-License-Identifier: Apache-2.0 */
/*
 * satcheld train --config FILE: make the key network that satchelctl instance rotate puts in use.
 *
 * Runs beside the daemon, which is forbidden the executable memory that training needs.  Started by
 * root it goes on as the owner of the data folder: the daemon must be able to take what it writes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grp.h>

#include "common/crypto/hex.h"
#include "common/fs.h"
#include "server/settings.h"
#include "server/train.h"
#include "server/verb.h"

static int become_owner(const char *data, struct err *err)
{
    struct stat st;

    if (stat(data, &st) != 0)
        return err_sys(err, errno, "cannot look at '%s'", data);
    if (geteuid() != 0 || st.st_uid == 0)
        return ERR_OK;
    if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0)
        return err_sys(err, errno, "cannot become the owner of '%s'", data);
    return ERR_OK;
}

/* A folder that has no instance yet is one for satcheld init. */
static int check_folder(const char *data, struct err *err)
{
    char *weights = settings_file(data, SETTINGS_WEIGHTS);
    int rc = weights != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && !fs_exists(weights)) {
        rc = err_set(err, ERR_NOTFOUND, "'%s' does not exist", weights);
        err_hint(err, "make the data folder with satcheld init --data DIR");
    }
    free(weights);
    return rc;
}

int verb_train(const struct verb_opts *o, struct err *err)
{
    char *weights = NULL, *card = NULL, hex[2 * sizeof(struct instance_id) + 1];
    struct config_report rep;
    struct settings s = {0};
    struct instance_id id;
    int rc = settings_read(o->config, &s, &rep, err);

    if (rc == ERR_OK)
        rc = become_owner(s.data, err);
    if (rc == ERR_OK)
        rc = check_folder(s.data, err);
    if (rc == ERR_OK) {
        weights = settings_file(s.data, SETTINGS_NEXT_WEIGHTS);
        card = settings_file(s.data, SETTINGS_NEXT_CARD);
        rc = weights != NULL && card != NULL ? train_instance(weights, card, &id, err)
                                             : err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK) {
        hex_encode(hex, id.b, sizeof(id.b));
        printf("trained %s\nnext: satchelctl instance rotate\n", hex);
    }
    free(weights);
    free(card);
    settings_free(&s);
    return rc;
}
