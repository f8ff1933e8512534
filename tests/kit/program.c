#include "tests/kit/program.h"
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "tests/kit/scratch.h"

char program_said[65536], program_complained[4096];

const char *program_folder(void)
{
    const char *build = getenv("WEFT_BUILD_DIR");
    return build ? build : WEFT_BUILD_DIR;
}

static int run(const char *name, const char *arguments)
{
    char command[4096], program[1024];
    snprintf(program, sizeof program, "%s/bin/%s", program_folder(), name);
    snprintf(command, sizeof command, "cd '%s' || exit; '%s' %s >stdout 2>stderr", scratch("."),
             name[0] == '/' ? name : program, arguments);
    int status = system(command);
    scratch_read("stdout", program_said, sizeof program_said);
    scratch_read("stderr", program_complained, sizeof program_complained);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *text_of(const char *format, va_list ap)
{
    static char text[3000];
    vsnprintf(text, sizeof text, format, ap);
    return text;
}

int program_run(const char *name, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int status = run(name, text_of(format, ap));
    va_end(ap);
    return status;
}

void program_refuses(const char *text, const char *name, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    const char *arguments = text_of(format, ap);
    va_end(ap);
    int status = run(name, arguments);
    const char *said = program_complained;
    cr_expect_eq(status, 1, "%s %s: exit status %d: %s", name, arguments, status, said);
    cr_expect(strstr(said, text), "%s %s: want '%s' in: %s", name, arguments, text, said);
    cr_expect(strncmp(said, name, strlen(name)) == 0 && strchr(said, '\n') &&
                  strchr(said, '\n')[1] == 0,
              "%s %s: not one line of its own: %s", name, arguments, said);
}

void program_works(const char *name, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    const char *arguments = text_of(format, ap);
    va_end(ap);
    cr_assert_eq(run(name, arguments), 0, "%s %s: %s", name, arguments, program_complained);
}
