/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/text.h"
#include "client/cli/ui.h"

/* What a program is told in its environment. */
enum { EVENT, ID, WHO, WHO_ID, NAME, TIME, NUMBER };
static const char *const variables[] = {
    [EVENT] = "SATCHEL_EVENT",   [ID] = "SATCHEL_ID",     [WHO] = "SATCHEL_WHO",
    [WHO_ID] = "SATCHEL_WHO_ID", [NAME] = "SATCHEL_NAME", [TIME] = "SATCHEL_TIME",
    [NUMBER] = "SATCHEL_NUMBER"};

enum { VARIABLES = sizeof(variables) / sizeof(variables[0]), VARIABLE = TEXT_SAFE + 32 };

static pid_t running[HOOK_MAX];
static size_t n_running;

bool hook_exists(const char *program)
{
    const char *path = getenv("PATH");
    char full[4096];
    bool found = false;

    if (strchr(program, '/') != NULL)
        return access(program, X_OK) == 0;
    if (path == NULL)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path != '\0' && !found) {
        int len = (int)strcspn(path, ":");

        found = len > 0 && len < (int)sizeof(full) &&
                snprintf(full, sizeof(full), "%.*s/%s", len, path, program) < (int)sizeof(full) &&
                access(full, X_OK) == 0;
        path += len + (path[len] == ':');
    }
    return found;
}

/* ---- children ---- */

static void wait_for(bool block)
{
    for (size_t i = 0; i < n_running;) {
        int status;
        pid_t got = waitpid(running[i], &status, block ? 0 : WNOHANG);

        if (got == 0 || (got < 0 && errno == EINTR && !block)) {
            i++;
            continue;
        }
        if (got < 0 && errno == EINTR)
            return; /* interrupted: the command is about to end */
        running[i] = running[--n_running];
        block = false;
    }
}

void hook_reap(bool all)
{
    wait_for(false);
    while (all && n_running > 0) {
        size_t before = n_running;

        wait_for(true);
        if (n_running == before)
            return;
    }
}

/* A child must not read what is ours, nor speak between our lines. */
static int plan_files(posix_spawn_file_actions_t *files)
{
    int rc = posix_spawn_file_actions_init(files);

    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO);
    return rc;
}

static void start(char *const argv[], char *const envp[])
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int rc;

    hook_reap(false);
    if (n_running == HOOK_MAX)
        wait_for(true);
    if (n_running == HOOK_MAX)
        return;
    rc = plan_files(&files);
    if (rc == 0)
        rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, envp);
    (void)posix_spawn_file_actions_destroy(&files);
    if (rc == 0)
        running[n_running++] = pid;
    else
        ui_note("satchel: cannot run '%s': %s", argv[0], strerror(rc));
}

/* ---- what they are told ---- */

extern char **environ;

static bool is_ours(const char *entry)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        size_t len = strlen(variables[i]);

        if (strncmp(entry, variables[i], len) == 0 && entry[len] == '=')
            return true;
    }
    return false;
}

void hook_run(const char *program, const struct satchel_event *e)
{
    char vars[VARIABLES][VARIABLE], who[TEXT_SAFE], time[TEXT_TIME], id[SATCHEL_ID_SIZE];
    char file[TEXT_SAFE], name[16], path[4096], number[24];
    const char *const values[VARIABLES] = {
        [EVENT] = name, [ID] = id,     [WHO] = who,      [WHO_ID] = e->who_id,
        [NAME] = file,  [TIME] = time, [NUMBER] = number};
    char *argv[] = {path, name, id, who, NULL};
    size_t n = 0, k = 0;
    char **envp;

    while (environ[n] != NULL)
        n++;
    envp = calloc(n + VARIABLES + 1, sizeof(*envp));
    if (envp == NULL || snprintf(path, sizeof(path), "%s", program) >= (int)sizeof(path)) {
        free(envp);
        return;
    }
    (void)snprintf(name, sizeof(name), "%s", satchel_event_name(e->kind));
    (void)snprintf(id, sizeof(id), "%s", e->id);
    (void)text_safe(e->who[0] != '\0' ? e->who : e->who_id, who, sizeof(who));
    (void)text_safe(e->name, file, sizeof(file));
    (void)text_time(e->time, time);
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)e->number);
    for (size_t i = 0; i < VARIABLES; i++)
        (void)snprintf(vars[i], VARIABLE, "%s=%s", variables[i], values[i]);
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            envp[k++] = environ[i];
    for (size_t i = 0; i < VARIABLES; i++)
        envp[k++] = vars[i];
    start(argv, envp);
    free(envp);
}

/* ---- the desktop ---- */

/* Bodies of notifications are markup. */
static void plain_to_markup(const char *from, char *to, size_t cap)
{
    size_t used = 0;

    for (; *from != '\0' && used + 6 < cap; from++) {
        const char *as = *from == '&'   ? "&amp;"
                         : *from == '<' ? "&lt;"
                         : *from == '>' ? "&gt;"
                                        : NULL;

        if (as != NULL)
            used += (size_t)snprintf(to + used, cap - used, "%s", as);
        else
            to[used++] = *from;
    }
    to[used] = '\0';
}

void hook_notify(const struct satchel_event *e)
{
    char program[] = "notify-send", app[] = "--app-name=satchel", end[] = "--";
    char title[32], body[2 * TEXT_SAFE * 6 + 64], who[TEXT_SAFE], file[TEXT_SAFE];
    char who_markup[TEXT_SAFE * 6], file_markup[TEXT_SAFE * 6];
    char *argv[] = {program, app, end, title, body, NULL};

    (void)text_safe(e->who[0] != '\0' ? e->who : e->who_id, who, sizeof(who));
    plain_to_markup(who, who_markup, sizeof(who_markup));
    (void)text_safe(e->name, file, sizeof(file));
    plain_to_markup(file, file_markup, sizeof(file_markup));
    (void)snprintf(title, sizeof(title), "satchel: %s", satchel_event_name(e->kind));
    (void)snprintf(body, sizeof(body), "%s%s%s (%.12s)", who_markup, e->name[0] != '\0' ? ": " : "",
                   file_markup, e->id);
    start(argv, environ);
}
