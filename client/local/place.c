/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/place.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"

static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);

    return n >= 1 && n < PLACE_NAME_SIZE &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n && strcmp(s, ".") != 0 &&
           strcmp(s, "..") != 0;
}

/* The home folder by the environment; NULL: there is none.  To be freed. */
static char *default_home(void)
{
    const char *satchel = given(getenv("SATCHEL_HOME")), *data = given(getenv("XDG_DATA_HOME")),
               *home = given(getenv("HOME"));
    const struct passwd *pw;
    char *path = NULL;

    if (satchel != NULL)
        return strdup(satchel);
    /* The specification of XDG: a path that is not absolute does not count. */
    if (data != NULL && data[0] == '/')
        return fs_join(data, "satchel");
    if (home == NULL) {
        pw = getpwuid(getuid());
        home = pw != NULL ? pw->pw_dir : NULL;
    }
    if (home != NULL && asprintf(&path, "%s/.local/share/satchel", home) < 0)
        return NULL;
    return path;
}

int place_find(const char *home, const char *profile, struct place *ret, struct err *err)
{
    struct place p = {0};
    const char *name = given(profile);

    if (name == NULL)
        name = given(getenv("SATCHEL_PROFILE"));
    if (name == NULL)
        name = "default";
    if (!is_name(name)) {
        err_set(err, ERR_INVALID, "not the name of a profile: '%.64s'", name);
        err_hint(err, "a name is 1 to 32 of a-z, 0-9, '.', '_' and '-'");
        return ERR_INVALID;
    }
    (void)snprintf(p.profile, sizeof(p.profile), "%s", name);
    p.home = given(home) != NULL ? strdup(home) : default_home();
    if (p.home == NULL) {
        err_set(err, ERR_INVALID, "no home folder can be found");
        err_hint(err, "set SATCHEL_HOME, or name one with --home");
        return ERR_INVALID;
    }
    if (asprintf(&p.folder, "%s/profiles/%s", p.home, p.profile) < 0) {
        p.folder = NULL;
        place_free(&p);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret = p;
    return ERR_OK;
}

void place_free(struct place *p)
{
    free(p->home);
    free(p->folder);
    *p = (struct place){0};
}

int place_make(const struct place *p, struct err *err)
{
    return fs_mkdirs(p->folder, 0700, err);
}

static int is_profile(const struct dirent *e)
{
    return is_name(e->d_name);
}

int place_each(const struct place *p, void (*each)(void *cookie, const char *name), void *cookie,
               struct err *err)
{
    struct dirent **rows = NULL;
    char *folder = fs_join(p->home, "profiles");
    int n;

    if (folder == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    n = scandir(folder, &rows, is_profile, alphasort);
    if (n < 0 && errno != ENOENT) {
        err_sys(err, errno, "cannot list '%s'", folder);
        free(folder);
        return ERR_IO;
    }
    for (int i = 0; i < n; i++) {
        each(cookie, rows[i]->d_name);
        free(rows[i]);
    }
    free(rows);
    free(folder);
    return ERR_OK;
}
