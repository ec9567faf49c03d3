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

/* The file of a home with the name of the profile to use, "NAME\n". */
static int choice_path(const struct place *p, char **ret, struct err *err)
{
    *ret = fs_join(p->home, "profile");
    return *ret != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* "" if nobody has chosen. */
static int read_choice(const struct place *p, char ret[PLACE_NAME_SIZE], struct err *err)
{
    struct buf text = {0};
    char *path = NULL;
    int rc = choice_path(p, &path, err);

    ret[0] = '\0';
    if (rc == ERR_OK)
        rc = fs_read(path, PLACE_NAME_SIZE, &text, err);
    if (rc == ERR_OK && text.len > 1 && text.len <= PLACE_NAME_SIZE &&
        text.data[text.len - 1] == '\n') {
        memcpy(ret, text.data, text.len - 1);
        ret[text.len - 1] = '\0';
    }
    if (rc == ERR_TOOLARGE || (rc == ERR_OK && !is_name(ret))) {
        rc = err_set(err, ERR_CORRUPT, "'%s' does not name a profile", path);
        err_hint(err, "choose one: satchel profile use NAME");
    }
    if (rc == ERR_IO)
        err_hint(err, "--home and $SATCHEL_HOME name the folder where profiles live, here '%.160s'",
                 p->home);
    buf_free(&text);
    free(path);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

int place_use(const struct place *p, struct err *err)
{
    char *path = NULL, line[PLACE_NAME_SIZE + 1];
    int n = snprintf(line, sizeof(line), "%s\n", p->profile);
    int rc = choice_path(p, &path, err);

    if (rc == ERR_OK)
        rc = fs_replace(path, line, (size_t)n, 0600, err);
    free(path);
    return rc;
}

int place_use_no_more(const struct place *p, struct err *err)
{
    char chosen[PLACE_NAME_SIZE], *path = NULL;
    int rc = choice_path(p, &path, err);

    if (rc == ERR_OK && read_choice(p, chosen, NULL) == ERR_OK && strcmp(chosen, p->profile) == 0)
        rc = fs_remove(path, err);
    free(path);
    return rc;
}

/* The name that counts, with p->home set. */
static int find_name(const char *profile, struct place *p, struct err *err)
{
    const char *name = given(profile);
    int rc = ERR_OK;

    if (name == NULL)
        name = given(getenv("SATCHEL_PROFILE"));
    if (name == NULL)
        rc = read_choice(p, p->profile, err);
    else if (!is_name(name)) {
        rc = err_set(err, ERR_INVALID, "not the name of a profile: '%.64s'", name);
        err_hint(err, "a name is 1 to 32 of a-z, 0-9, '.', '_' and '-'");
    } else {
        (void)snprintf(p->profile, sizeof(p->profile), "%s", name);
    }
    if (rc == ERR_OK && p->profile[0] == '\0')
        (void)snprintf(p->profile, sizeof(p->profile), "default");
    return rc;
}

int place_find(const char *home, const char *profile, struct place *ret, struct err *err)
{
    struct place p = {0};
    int rc;

    p.home = given(home) != NULL ? strdup(home) : default_home();
    if (p.home == NULL) {
        err_set(err, ERR_INVALID, "no home folder can be found");
        err_hint(err, "set SATCHEL_HOME, or name one with --home");
        return ERR_INVALID;
    }
    rc = find_name(profile, &p, err);
    if (rc != ERR_OK) {
        place_free(&p);
        return rc;
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
