/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "client/cli/progress.h"
#include "client/cli/ui.h"
#include "common/crypto/words.h"
#include "common/secret.h"
#include "common/transfer/factor_code.h"

extern char **environ;

enum {
    SHORT_PASSPHRASE = 8,
    ASKED_MAX = 5,   /* questions for one answer */
    SKIP_MAX = 16384 /* bytes of a line that does not fit: a terminal has no longer ones */
};

/*
 * Readable from prompt_stop() on.  A signal that comes before the wait is not lost by that, nor
 * one that another thread takes; both would be if the wait just ended with EINTR.
 */
static int stop_fd = -1;

static volatile sig_atomic_t asking;

void prompt_setup(void)
{
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

bool prompt_stop(void)
{
    static const uint64_t one = 1;
    ssize_t n = stop_fd >= 0 ? write(stop_fd, &one, sizeof(one)) : 0;

    (void)n; /* where no more goes in it can be read already */
    return asking != 0;
}

/* Until ${fd} can be read; false: interrupted. */
static bool wait_for(int fd)
{
    struct pollfd p[] = {{.fd = stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int n;

    do
        n = poll(p, 2, -1);
    while (n < 0 && errno == EINTR && stop_fd >= 0); /* not every signal stops us */
    return n < 0 ? errno != EINTR : p[0].revents == 0;
}

/*
 * Read up to the end of a line or of the file; -EINTR if interrupted, -1 on another error, or at
 * the end of the file with nothing before.  -EMSGSIZE if it does not fit: ${buf} is full, and the
 * rest of the line is read as well, so that it is no answer to the next question.
 */
static long read_line(int fd, char *buf, size_t size)
{
    size_t used = 0, more = 0;

    for (;;) {
        char c;
        ssize_t n;

        if (!wait_for(fd))
            return -EINTR;
        n = read(fd, &c, 1);
        if (n < 0) /* also EINTR: a signal asks us to stop */
            return errno == EINTR ? -EINTR : -1;
        if (n == 0 && used == 0)
            return -1;
        if (n == 0 || c == '\n' || more == SKIP_MAX)
            return more > 0 ? -EMSGSIZE : (long)used;
        if (used < size)
            buf[used++] = c;
        else
            more++;
    }
}

/* Where a line that is cut cannot be mistaken for a good one. */
static long cut(long len, size_t size)
{
    return len == -EMSGSIZE ? (long)size : len;
}

static long ask_program(const char *program, const char *question, char *buf, size_t size)
{
    char *argv[] = {(char *)program, (char *)question, NULL};
    posix_spawn_file_actions_t actions;
    int out[2], status = -1;
    long len = -1;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) != 0)
        return -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        goto close_pipe;
    if (posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO) == 0 &&
        posix_spawnp(&pid, program, &actions, NULL, argv, environ) == 0) {
        close(out[1]);
        out[1] = -1;
        len = read_line(out[0], buf, size);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (len != -EINTR && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            len = -1;
    } else {
        ui_note("satchel: cannot run '%s' (SATCHEL_ASKPASS)", program);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
close_pipe:
    close(out[0]);
    if (out[1] >= 0)
        close(out[1]);
    return len;
}

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool prompt_possible(void)
{
    int tty = open_terminal();

    if (tty < 0)
        return false;
    close(tty);
    return isatty(STDIN_FILENO) != 0;
}

/* Also by what came behind the answer, while the terminal was put right. */
static bool was_stopped(void)
{
    struct pollfd p = {.fd = stop_fd, .events = POLLIN};

    return stop_fd >= 0 && poll(&p, 1, 0) > 0;
}

static long ask_terminal(const char *question, bool echo, char *buf, size_t size)
{
    struct termios old, quiet;
    int tty = open_terminal();
    bool changed = false;
    long len;

    if (tty < 0)
        return -1;
    progress_clear();
    asking = 1;
    if (!echo && tcgetattr(tty, &old) == 0) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        changed = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
    }
    (void)dprintf(tty, "%s", question);
    len = read_line(tty, buf, size);
    if (changed) {
        (void)tcsetattr(tty, TCSAFLUSH, &old);
        (void)dprintf(tty, "\n");
    }
    asking = 0;
    close(tty);
    return was_stopped() ? -EINTR : len;
}

static long ask_once(const struct cli *cli, const char *question, char *buf, size_t size)
{
    const char *program = getenv("SATCHEL_ASKPASS");

    if (cli->passphrase_fd >= 0)
        return read_line(cli->passphrase_fd, buf, size);
    if (program != NULL && program[0] != '\0')
        return ask_program(program, question, buf, size);
    return ask_terminal(question, false, buf, size);
}

/* Is it typed blind on a terminal? */
static bool is_blind(const struct cli *cli)
{
    return cli->passphrase_fd < 0 && getenv("SATCHEL_ASKPASS") == NULL;
}

/* ${len} if the same is typed again, 0 if something else is, -EINTR. */
static long repeat(const char *buf, long len)
{
    struct secret again = {0};
    long typed;

    if (secret_new(&again, SATCHEL_PASSPHRASE_MAX, NULL) != ERR_OK)
        return 0;
    typed = ask_terminal("The same passphrase again: ", false, (char *)again.data, again.len);
    if (typed != -EINTR && (typed != len || !secret_equal(again.data, buf, (size_t)len)))
        typed = 0;
    secret_free(&again);
    return typed;
}

/* A new one is typed twice, until both are the same; a short one is remarked upon. */
static long choose(const struct cli *cli, char *buf, size_t size)
{
    const char *question = "Choose a passphrase for your keys: ";
    long len, again;

    do {
        len = ask_once(cli, question, buf, size);
        again = len > 0 && is_blind(cli) ? repeat(buf, len) : len;
        question = "The two differ. Choose a passphrase for your keys: ";
    } while (len > 0 && again == 0);
    if (again < 0)
        return again;
    if (len > 0 && len < SHORT_PASSPHRASE)
        ui_note("satchel: a passphrase of %ld bytes is soon guessed by whoever has the disk; "
                "'satchel passphrase' changes it",
                len);
    return len;
}

long prompt_passphrase(void *cookie, bool fresh, char *buf, size_t size)
{
    const struct cli *cli = cookie;
    long len = fresh ? choose(cli, buf, size) : ask_once(cli, "Passphrase: ", buf, size);

    if (len == -EINTR)
        return -1;
    return len > 0 ? len : 0;
}

enum prompt_said prompt_word(const char *question, const char *word)
{
    char answer[128] = "";
    long len;

    if (!prompt_possible())
        return PROMPT_NO;
    len = cut(ask_terminal(question, true, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    if (len == -EINTR)
        return PROMPT_STOPPED;
    if (len > 0 && (size_t)len == strlen(word) && memcmp(answer, word, (size_t)len) == 0)
        return PROMPT_YES;
    return PROMPT_NO;
}

enum prompt_said prompt_yes(const char *question)
{
    char answer[128];
    long len = 0;

    for (int i = 0; i < ASKED_MAX && len >= 0 && prompt_possible(); i++) {
        len = cut(ask_terminal(i == 0 ? question : "Please type yes or no: ", true, answer,
                               sizeof(answer) - 1),
                  sizeof(answer) - 1);
        answer[len > 0 ? len : 0] = '\0';
        if (strcmp(answer, "yes") == 0 || strcmp(answer, "no") == 0)
            return answer[0] == 'y' ? PROMPT_YES : PROMPT_NO;
    }
    return len == -EINTR ? PROMPT_STOPPED : PROMPT_NO;
}

void prompt_pin(void *cookie, const struct satchel_pin_question *q)
{
    struct cli *cli = cookie;
    char question[512];
    enum prompt_said said;

    (void)snprintf(question, sizeof(question),
                   "The server %s is not known yet. The fingerprint of its key is\n  %s\n"
                   "Compare it with what its operator tells you. Trust it? (yes/no) ",
                   q->server, q->pin);
    said = prompt_yes(question);
    if (said == PROMPT_STOPPED)
        satchel_sync_interrupt(cli->s); /* ends the call; the question stays open */
    else
        satchel_pin_answer(cli->s, said == PROMPT_YES);
}

/* Words, without numbers that stand before them. */
static int count_words(const char *text, size_t len)
{
    bool inside = false;
    int n = 0;

    for (size_t i = 0; i < len; i++) {
        bool space = text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r');

        n += !space && !inside && !(text[i] >= '0' && text[i] <= '9');
        inside = !space;
    }
    return n;
}

/* They may come in rows, as they were shown; an empty one ends them. */
long prompt_words(int fd, char *buf, size_t size)
{
    char question[48] = "The 24 recovery words: ";
    size_t used = 0;
    long len;

    do {
        len = fd >= 0 ? read_line(fd, buf + used, size - used)
                      : ask_terminal(question, true, buf + used, size - used);
        if (len <= 0)
            break;
        used += (size_t)len;
        if (used < size)
            buf[used++] = ' ';
        (void)snprintf(question, sizeof(question), "%d of 24; the next: ", count_words(buf, used));
    } while (count_words(buf, used) < WORDS_COUNT);
    return len == -EINTR ? len : (long)used; /* 0: none can be had */
}

long prompt_code(int fd, const char *question, char *buf, size_t size)
{
    long len;

    if (fd < 0 && !prompt_possible())
        return 0;
    secret_wipe(buf, size); /* of what was typed before, which may be longer */
    len = cut(fd >= 0 ? read_line(fd, buf, size) : ask_terminal(question, true, buf, size), size);
    if (len == -EINTR)
        return -1;
    return len > 0 ? len : 0;
}

long prompt_otp(int fd, const char *question, char *buf, size_t size)
{
    long len = prompt_code(fd, question, buf, size);

    for (int i = 1; i < ASKED_MAX && fd < 0 && len > 0 &&
                    factor_code_kind(buf, (size_t)len) == FACTOR_CODE_OTHER;
         i++)
        len = prompt_code(fd, "That is neither 6 digits nor a recovery code. Again: ", buf, size);
    return len;
}
