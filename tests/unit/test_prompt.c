/* SPDX-License-Identifier: Apache-2.0 */
/* Questions on a terminal, and signals that end them, also before they wait. */
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/cli/prompt.h"

enum { INTERRUPTED = 100, ANSWERED, NOTHING, PATIENCE = 60 /* s */ };

#define CTRL_C "\x03"

static void on_signal(int signo)
{
    (void)signo;
    (void)prompt_stop();
}

static int ask_yes(void)
{
    return (int)prompt_yes("Is it? ");
}

static int ask_word(void)
{
    return (int)prompt_word("Which? ", "word");
}

static int ask_passphrase(void)
{
    struct cli cli = {.passphrase_fd = -1};
    char text[SATCHEL_PASSPHRASE_MAX];
    long len = prompt_passphrase(&cli, false, text, sizeof(text));

    return len < 0 ? INTERRUPTED : len > 0 ? ANSWERED : NOTHING;
}

static int ask_code(void)
{
    char text[SATCHEL_CODE_SIZE];
    long len = prompt_otp(-1, "Code? ", text, sizeof(text) - 1);

    return len < 0 ? INTERRUPTED : len > 0 ? ANSWERED : NOTHING;
}

/* In a process of its own: with ${early} the signal comes before anything waits. */
static void child(int (*ask)(void), bool early)
{
    struct sigaction act = {.sa_handler = on_signal};

    (void)alarm(PATIENCE);
    (void)unsetenv("SATCHEL_ASKPASS");
    (void)sigaction(SIGINT, &act, NULL);
    prompt_setup();
    if (early)
        (void)raise(SIGINT);
    _exit(ask());
}

/* What ${ask} returns on a terminal where somebody types ${typed} when he sees the question. */
static int on_terminal(int (*ask)(void), bool early, const char *typed)
{
    struct termios t;
    int fd, status = 0;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    char c = '\0';

    assert_true(pid >= 0);
    if (pid == 0)
        child(ask, early);
    while (c != '?' && c != ':' && read(fd, &c, 1) == 1)
        ;
    assert_int_equal(write(fd, typed, strlen(typed)), (ssize_t)strlen(typed));
    while (read(fd, &c, 1) == 1)
        ;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(tcgetattr(fd, &t), 0);
    assert_true((t.c_lflag & ECHO) != 0); /* as it was */
    (void)close(fd);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_answers(void **state)
{
    (void)state;
    assert_int_equal(on_terminal(ask_yes, false, "yes\n"), PROMPT_YES);
    assert_int_equal(on_terminal(ask_yes, false, "y\nno\n"), PROMPT_NO);
    assert_int_equal(on_terminal(ask_yes, false, "\x04"), PROMPT_NO); /* the end of input */
    assert_int_equal(on_terminal(ask_word, false, "word\n"), PROMPT_YES);
    assert_int_equal(on_terminal(ask_word, false, "words\n"), PROMPT_NO);
    assert_int_equal(on_terminal(ask_word, false, "\n"), PROMPT_NO);
    assert_int_equal(on_terminal(ask_passphrase, false, "secret\n"), ANSWERED);
    assert_int_equal(on_terminal(ask_passphrase, false, "\n"), NOTHING);
    assert_int_equal(on_terminal(ask_code, false, "12345\n123456\n"), ANSWERED);
}

static void test_interrupted(void **state)
{
    (void)state;
    assert_int_equal(on_terminal(ask_yes, false, CTRL_C), PROMPT_STOPPED);
    assert_int_equal(on_terminal(ask_yes, false, "y\n" CTRL_C), PROMPT_STOPPED);
    assert_int_equal(on_terminal(ask_word, false, CTRL_C), PROMPT_STOPPED);
    assert_int_equal(on_terminal(ask_passphrase, false, CTRL_C), INTERRUPTED);
    assert_int_equal(on_terminal(ask_code, false, CTRL_C), INTERRUPTED);
}

/* Nobody has to press it twice, and what is typed behind it is no answer. */
static void test_interrupted_before_it_waits(void **state)
{
    (void)state;
    assert_int_equal(on_terminal(ask_yes, true, ""), PROMPT_STOPPED);
    assert_int_equal(on_terminal(ask_word, true, ""), PROMPT_STOPPED);
    assert_int_equal(on_terminal(ask_passphrase, true, ""), INTERRUPTED);
    assert_int_equal(on_terminal(ask_code, true, ""), INTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_interrupted_before_it_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
