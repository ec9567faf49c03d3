/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/people_name.h"

/* Usernames are in lower case: "BOB" was meant to be one. */
static void hint_case(const char *who, struct err *err)
{
    char lower[IDS_USERNAME_TEXT];
    size_t i = 0;

    for (; who[i] != '\0' && i + 1 < sizeof(lower); i++)
        lower[i] = (char)(who[i] >= 'A' && who[i] <= 'Z' ? who[i] - 'A' + 'a' : who[i]);
    lower[i] = '\0';
    if (who[i] == '\0' && ids_check_username(lower, NULL) == ERR_OK)
        err_hint(err, "usernames are in lower case: '%s'", lower);
}

/* In the form of a user ID, with a checksum that does not fit: ids_uid_to_text(). */
static bool is_almost_uid(const char *who)
{
    return strncmp(who, "sat1", 4) == 0 && strlen(who) == IDS_UID_TEXT - 1;
}

int people_identify(struct person *p, struct vault *v, struct err *err)
{
    int rc = contact_find(v, p->who, &p->uid, err);

    if (rc != ERR_NOTFOUND) {
        p->known = rc == ERR_OK;
        return rc;
    }
    if (ids_uid_from_text(p->who, &p->uid, NULL) == ERR_OK) {
        p->known = true;
        return ERR_OK;
    }
    if (ids_check_username(p->who, NULL) == ERR_OK ||
        ids_fold_email(p->who, p->email, NULL) == ERR_OK)
        return ERR_OK;
    if (is_almost_uid(p->who)) {
        err_set(err, ERR_INVALID,
                "the user ID '%.64s' was mistyped: its letters do not fit "
                "together",
                p->who);
        err_hint(err, "copy it anew from 'satchel whoami' of the other side");
        return ERR_INVALID;
    }
    err_set(err, ERR_INVALID,
            "'%.64s' is not a contact, a user ID, a username or an e-mail address", p->who);
    hint_case(p->who, err);
    return ERR_INVALID;
}
