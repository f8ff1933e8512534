/* These tests check tables of configuration fields, and the command lines made of them. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "apps/kit/cli.h"
#include "data/config.h"
#include "tests/kit/leaks.h"

static const char *const colours[] = { "red", "green", NULL };

struct sample {
    int count;
    uint64_t seed;
    double rate;
    bool on;
    int colour;
    char text[WF_CONFIG_TEXT];
    struct wf_ints list;
};

static const struct wf_field fields[] = {
    WF_FIELD(sample, "count", INT, count, 1, 10, NULL, "how many"),
    WF_FIELD(sample, "seed", SEED, seed, 0, 0, NULL, "of draws"),
    WF_FIELD(sample, "rate", DOUBLE, rate, 0, 1, NULL, "how fast"),
    WF_FIELD(sample, "on", BOOL, on, 0, 1, NULL, "whether"),
    WF_FIELD(sample, "colour", ENUM, colour, 0, 0, colours, "which"),
    WF_FIELD(sample, "text", TEXT, text, 0, 0, NULL, "what"),
    WF_FIELD(sample, "list", INTS, list, 0, 99, NULL, "when"),
    { 0 }
};

Test(config, values_go_in_as_text_and_come_out_as_the_same_text)
{
    static const char *const rows[][2] = {
        { "count", "7" },
        { "seed", "18446744073709551615" },
        { "rate", "0.1" },
        { "on", "True" },
        { "colour", "green" },
        { "text", "a = b, c" },
        { "list", "1,20,30" },
        { "list", "" },
        { "rate", "0.30000000000000004" },
    };
    struct sample s = { 0 };
    struct wf_config c = { fields, &s, "Sample" };
    struct wf_error err = { 0 };
    char text[WF_VALUE_TEXT];
    void *owner;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(wf_config_set(&c, 1, rows[i][0], rows[i][1], &err), WF_OK, "%s", err.message);
        const struct wf_field *f = wf_config_find(&c, 1, rows[i][0], &owner);
        cr_assert(f && owner == &s);
        cr_expect_str_eq(wf_config_value(f, &s, text), rows[i][1]);
    }
}

Test(config, what_is_no_value_is_refused_by_name)
{
    static const char *const rows[][3] = {
        { "count", "11", "--count 11: want an integer from 1 to 10" },
        { "count", "2.5", "--count 2.5: want an integer" },
        { "count", "", "--count : want an integer" },
        { "rate", "nan", "--rate nan: want a number from 0 to 1" },
        { "rate", "0.5x", "--rate 0.5x: want a number" },
        { "seed", "-1", "--seed -1: want an integer >= 0" },
        { "on", "maybe", "--on maybe: want True or False" },
        { "colour", "blue", "--colour blue: want one of red, green" },
        { "list", "1,,2", "--list 1,,2: want up to 16 integers" },
        { "list", "1,100", "--list 1,100: want up to 16 integers from 0 to 99" },
        { "size", "1", "unknown option --size" },
    };
    struct sample s = { .count = 3 }, before = s;
    struct wf_config c = { fields, &s, "Sample" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wf_error err = { 0 };
        cr_expect_eq(wf_config_set(&c, 1, rows[i][0], rows[i][1], &err), WF_EINVAL, "%s",
                     rows[i][2]);
        cr_expect(strstr(err.message, rows[i][2]), "'%s' is not in '%s'", rows[i][2], err.message);
    }
    cr_expect_arr_eq(&s, &before, sizeof s, "a refused value changed something");
}

Test(config, printed_lines_restore_the_configuration)
{
    struct sample a = { 4, 9, 0.25, true, 1, "x", { 2, { 3, 5 } } }, b = { 0 };
    struct wf_config from = { fields, &a, "A" }, to = { fields, &b, "B" };
    struct wf_error err = { 0 };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    wf_config_print(&from, 1, f);
    fclose(f);
    cr_assert_eq(wf_config_parse(&to, 1, text, &err), WF_OK, "%s", err.message);
    cr_expect(b.count == 4 && b.seed == 9 && b.rate == 0.25 && b.on && b.colour == 1);
    cr_expect(strcmp(b.text, "x") == 0 && b.list.n == 2 && b.list.v[1] == 5);
    cr_expect_eq(wf_config_parse(&to, 1, "no value\n", &err), WF_EFORMAT);
    cr_assert_eq(wf_config_parse(&to, 1, "# count=7\n\ncount=8\n#", &err), WF_OK);
    cr_expect_eq(b.count, 8);
    free(text);
}

Test(config, a_text_of_settings_is_read_line_by_line)
{
    static const char text[] = "# a=0\n\na=1\nno value\nb=x=y\na=\nlast=2";
    static const char *const rows[][2] = {
        { "a", "1" }, { "no value", NULL }, { "b", "x=y" }, { "a", "" }, { "last", "2" }
    };
    struct wf_setting s;
    const char *at = text;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert(wf_setting_next(&at, &s), "line %zu", i);
        cr_expect(s.name_length == strlen(rows[i][0]) &&
                      strncmp(s.name, rows[i][0], s.name_length) == 0,
                  "line %zu: name %.*s", i, (int)s.name_length, s.name);
        cr_expect_eq(s.value != NULL, rows[i][1] != NULL);
        cr_expect_eq(wf_setting_sets(&s, rows[i][0]), rows[i][1] != NULL);
        cr_expect(!wf_setting_sets(&s, "c"));
        if (!s.value) continue;
        cr_expect(s.value_length == strlen(rows[i][1]) &&
                      strncmp(s.value, rows[i][1], s.value_length) == 0,
                  "line %zu: value %.*s", i, (int)s.value_length, s.value);
        cr_expect_eq(s.line_length, s.name_length + 1 + s.value_length);
    }
    cr_expect(!wf_setting_next(&at, &s));
}

Test(config, the_last_setting_of_a_name_is_found_and_copied_whole)
{
    struct wf_setting s;
    struct wf_error err = { 0 };
    char text[4];
    cr_assert(wf_setting_find("ab=0\nb=1\nb=234\nc=5", "b", &s));
    cr_assert_eq(wf_setting_copy(&s, text, sizeof text, &err), WF_OK, "%s", err.message);
    cr_expect_str_eq(text, "234");
    cr_expect_eq(wf_setting_copy(&s, text, sizeof text - 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "--b: want one line of at most 2 characters"), "%s", err.message);
    cr_expect(!wf_setting_find("ab=0\nb\n#b=2\n", "b", &s));
    cr_expect(!wf_setting_find("", "b", &s));
}

Test(config, a_line_that_is_too_long_is_refused_and_not_cut)
{
    char lines[2 * WF_VALUE_TEXT];
    struct sample b = { .text = "x" };
    struct wf_config to = { fields, &b, "B" };
    struct wf_error err = { 0 };
    memset(lines, 'y', sizeof lines);
    memcpy(lines, "text=", 5);
    lines[5 + WF_CONFIG_TEXT] = 0;
    cr_expect_eq(wf_config_parse(&to, 1, lines, &err), WF_EINVAL);
    memset(lines + 5, 'y', sizeof lines - 5);
    lines[5 + WF_VALUE_TEXT] = 0;
    cr_expect_eq(wf_config_parse(&to, 1, lines, &err), WF_EFORMAT);
    cr_expect_str_eq(b.text, "x");
}

Test(cli, options_set_fields_and_the_rest_is_positional)
{
    char *argv[] = { "p", "--count", "5", "in", "-rate=0.5", "--on", "False", "-c", "6", "out" };
    static const struct wf_alias aliases[] = { { "c", "count" }, { NULL, NULL } };
    struct sample s = { .on = true };
    struct wf_config c = { fields, &s, "Sample" };
    struct wf_cli cli = { .aliases = aliases };
    struct wf_error err = { 0 };
    cr_assert_eq(wf_cli_parse(10, argv, &c, 1, &cli, &err), WF_OK, "%s", err.message);
    cr_expect(s.count == 6 && s.rate == 0.5 && !s.on && !cli.help);
    cr_assert_eq(cli.positionals, 2);
    cr_expect_str_eq(cli.positional[0], "in");
    cr_expect_str_eq(cli.positional[1], "out");
    expect_no_leaks();
}

Test(cli, bad_options_are_named)
{
    char *unknown[] = { "p", "--wrong" }, *missing[] = { "p", "--count" };
    struct sample s = { 0 };
    struct wf_config c = { fields, &s, "Sample" };
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    cr_expect_eq(wf_cli_parse(2, unknown, &c, 1, &cli, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "unknown option --wrong"), "%s", err.message);
    cr_expect_eq(wf_cli_parse(2, missing, &c, 1, &cli, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "--count wants a value"), "%s", err.message);
    expect_no_leaks();
}
