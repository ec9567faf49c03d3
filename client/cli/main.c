/* SPDX-License-Identifier: Apache-2.0 */
/* satchel - the command: finds the verb, opens what it needs, reports. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "client/cli/cli.h"
#include "client/cli/progress.h"
#include "client/cli/prompt.h"
#include "client/cli/ui.h"
#include "common/secret.h"

static const struct cli_cmd *const commands[] = {
    &cmd_register, &cmd_send,    &cmd_inbox,      &cmd_get,    &cmd_sent,     &cmd_status,
    &cmd_watch,    &cmd_revoke,  &cmd_extend,     &cmd_delete, &cmd_receipts, &cmd_contacts,
    &cmd_keys,     &cmd_device,  &cmd_recover,    &cmd_whoami, &cmd_doctor,   &cmd_preview,
    &cmd_factor,   &cmd_fernet,  &cmd_passphrase, &cmd_unlock, &cmd_lock,     &cmd_agent,
    &cmd_profile,  &cmd_account,
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
    HEAP_KEPT = 16 << 20 /* free memory that malloc may keep */
};

static struct {
    const char *home, *profile;
    bool json, quiet, help, version;
    int passphrase_fd;
} global = {.passphrase_fd = -1};

static const struct opt global_opts[] = {
    {"home", 0, OPT_TEXT, &global.home, "DIR", "where profiles live (or $SATCHEL_HOME)"},
    {"profile", 0, OPT_TEXT, &global.profile, "NAME", "which profile (or $SATCHEL_PROFILE)"},
    {"json", 0, OPT_FLAG, &global.json, NULL, "one JSON object per line on standard output"},
    {"quiet", 'q', OPT_FLAG, &global.quiet, NULL, "no progress, no remarks"},
    {"passphrase-fd", 0, OPT_FD, &global.passphrase_fd, "N",
     "read the passphrase from this file descriptor"},
    {"help", 'h', OPT_FLAG, &global.help, NULL, "this text"},
    {"version", 0, OPT_FLAG, &global.version, NULL, "the version"},
    {0},
};

/* For the signal handler; set while a handle exists. */
static struct satchel *volatile interruptible;

static void on_signal(int signo)
{
    int saved = errno;

    (void)signo;
    if (!prompt_stop() && interruptible == NULL)
        _Exit(130);
    if (interruptible != NULL)
        satchel_sync_interrupt(interruptible);
    errno = saved;
}

static void setup_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGHUP, &act, NULL);
    act.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &act, NULL);
}

/*
 * A descriptor 0, 1 or 2 that came closed would be given to the next file or socket, and results
 * written into it.  It is held by what fails when it is used: reading, or else writing.
 */
static bool hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

static void help_all(void)
{
    printf("usage: satchel VERB [ARGUMENTS]\n\n"
           "Send files to people through a server that cannot read them.\n\nverbs:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (!commands[i]->hidden)
            printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("\noptions, before or after the verb:\n");
    options_help(global_opts);
    printf("\n'satchel help VERB' tells more; satchel(1) tells all.\n");
}

static void help_one(const struct cli_cmd *cmd)
{
    int n = printf("usage: satchel %s%s", cmd->name, cmd->args[0] != '\0' ? " " : "");

    options_wrap(cmd->args, n > 0 ? (size_t)n : 0, sizeof("usage: satchel ") - 1);
    printf("\n%s.\n", cmd->summary);
    if (cmd->opts != NULL) {
        printf("\noptions:\n");
        options_help(cmd->opts);
    }
    if (cmd->details[0] != '\0') {
        printf("\n");
        options_wrap(cmd->details, 0, 0);
    }
    printf("\noptions of every verb:\n");
    options_help(global_opts);
}

static const struct cli_cmd *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* "help [VERB]", or no word at all. */
static int help(int argc, char **argv, struct satchel_error *err)
{
    const struct cli_cmd *cmd;
    int rc;

    if (argc < 2) {
        help_all();
        return SATCHEL_OK;
    }
    cmd = find_command(argv[1]);
    if (cmd != NULL) {
        help_one(cmd);
        return SATCHEL_OK;
    }
    rc = cli_error(err, SATCHEL_E_INVALID, "unknown verb '%s'", argv[1]);
    cli_hint(err, "satchel --help lists them");
    return rc;
}

void cli_close(struct cli *cli)
{
    interruptible = NULL;
    satchel_close(cli->s, NULL, NULL);
    cli->s = NULL;
}

static int open_handle(struct cli *cli, unsigned needs, struct satchel_error *err)
{
    struct satchel_options o = {
        .place = cli->place,
        .cookie = cli,
        .on_notice = ui_notice,
        .on_pin = prompt_possible() && !ui_json() ? prompt_pin : NULL,
    };
    int rc;

    if ((needs & (CLI_HANDLE | CLI_OPEN)) == 0)
        return SATCHEL_OK;
    rc = satchel_new(&cli->s, NULL, &o, err);
    if (rc != SATCHEL_OK)
        return rc;
    interruptible = cli->s;
    if ((needs & CLI_OPEN) == 0)
        return SATCHEL_OK;
    return satchel_open(cli->s, prompt_passphrase, cli, err);
}

/*
 * The name, in the usage line, of operand number ${n} (from 0): a word outside of brackets that is
 * neither an option nor its value; "something" if the line has none.
 */
static void operand_name(const char *args, int n, char *ret, size_t size)
{
    int depth = 0;
    bool value = false;

    (void)snprintf(ret, size, "something");
    while (*args != '\0') {
        size_t len = strcspn(args, " ");
        bool plain = len > 0 && depth == 0 && args[0] != '[' && strncmp(args, "...", 3) != 0;

        for (size_t i = 0; i < len; i++)
            depth += (args[i] == '[') - (args[i] == ']');
        if (plain && strncmp(args, "--", 2) == 0) {
            value = true;
        } else if (plain && value) {
            value = false;
        } else if (plain && n-- == 0) {
            (void)snprintf(ret, size, "%.*s", (int)strcspn(args, " .,"), args);
            return;
        }
        args += len + (args[len] == ' ');
    }
}

static int check_count(const struct cli_cmd *cmd, int argc, struct satchel_error *err)
{
    char name[64];
    int rc;

    if (argc >= cmd->min_args && (cmd->max_args < 0 || argc <= cmd->max_args))
        return SATCHEL_OK;
    operand_name(cmd->args, argc, name, sizeof(name));
    if (argc < cmd->min_args)
        rc = cli_error(err, SATCHEL_E_INVALID, "%s: %s is missing", cmd->name, name);
    else
        rc = cli_error(err, SATCHEL_E_INVALID, "%s: too many arguments", cmd->name);
    if (cmd->ids != NULL && strcmp(name, "ID") == 0)
        cli_hint(err, "usage: satchel %s %s; %s the IDs", cmd->name, cmd->args, cmd->ids);
    else
        cli_hint(err, "usage: satchel %s %s", cmd->name, cmd->args);
    return rc;
}

static int run_command(const struct cli_cmd *cmd, int argc, char **argv, struct satchel_error *err)
{
    struct cli cli = {.verb = cmd->name, .on = cmd->opts, .passphrase_fd = -1};
    int rc = options_parse(global_opts, cmd->opts, false, &argc, argv, err);

    if (rc != SATCHEL_OK)
        return rc;
    ui_setup(global.json, global.quiet);
    if (global.help) {
        help_one(cmd);
        return SATCHEL_OK;
    }
    rc = check_count(cmd, argc, err);
    if (rc != SATCHEL_OK)
        return rc;
    cli.place = (struct satchel_place){.home = global.home, .profile = global.profile};
    cli.passphrase_fd = global.passphrase_fd;
    prompt_setup();
    rc = open_handle(&cli, cmd->needs, err);
    if (rc == SATCHEL_OK)
        rc = cmd->run(&cli, argc, argv, err);
    cli_close(&cli);
    /* Ends libuv's threads while OpenSSL can still free what it keeps for each of them. */
    uv_library_shutdown();
    progress_clear();
    return rc;
}

/* An error in the arguments is told as JSON too if --json stands anywhere among them. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const struct cli_cmd *cmd = NULL;
    struct satchel_error err = {0};
    int rc;

    if (!hold_standard_files())
        return 1;
    secret_guard_process();
    argc--;
    argv++;
    /* Pieces come and go all the time: trimmed away, each would be zeroed and faulted in anew. */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    setup_signals();
    rc = options_parse(global_opts, NULL, true, &argc, argv, &err);
    ui_setup(global.json || wants_json(argc, argv), global.quiet);
    if (rc == SATCHEL_OK && global.version) {
        printf("satchel %s\n", satchel_version());
        return ui_finish() ? 0 : 1;
    }
    if (rc == SATCHEL_OK && (argc == 0 ? global.help : strcmp(argv[0], "help") == 0)) {
        rc = help(argc, argv, &err);
        if (rc == SATCHEL_OK)
            return ui_finish() ? 0 : 1;
    }
    if (rc == SATCHEL_OK && argc == 0) {
        rc = cli_error(&err, SATCHEL_E_INVALID, "no verb given");
        cli_hint(&err, "satchel --help lists them");
    }
    if (rc == SATCHEL_OK) {
        cmd = find_command(argv[0]);
        if (cmd == NULL) {
            rc = cli_error(&err, SATCHEL_E_INVALID, "unknown verb '%s'", argv[0]);
            cli_hint(&err, "satchel --help lists them");
        }
    }
    if (rc == SATCHEL_OK)
        rc = run_command(cmd, argc - 1, argv + 1, &err);
    progress_clear();
    if (rc != SATCHEL_OK)
        ui_error(&err);
    if (!ui_finish() && rc == SATCHEL_OK) {
        (void)fprintf(stderr, "satchel: cannot write to standard output\n");
        return 1;
    }
    return rc == SATCHEL_OK ? 0 : err.exit_code;
}
