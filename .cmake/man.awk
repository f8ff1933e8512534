# Makes a manual page of apps/man/NAME.in: what a program says itself, its options above all, comes
# from its --help, so that nothing is written twice.
#
#     awk -v version=X -v program=PATH [-v pages="a.1.in .."] -f man.awk NAME.in
#
# A line that is nothing but one of these words becomes:
#     @OPTIONS@   the options of the program, by group
#     @PRESETS@   the names that --preset takes
#     @MODELS@    every model with the options of its own
#     @PAGES@     the NAME line of each of the pages, as a list
# and @VERSION@ becomes the version, anywhere.

function roff(text)
{
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\(ga", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/~/, "\\(ti", text)
    return (text ~ /^[.]/ ? "\\&" : "") text
}

# Lines of a command into line[1..]; no lines, or an exit status other than 0, end everything.
function listen(command, line,    n, rc)
{
    while ((rc = (command | getline line[n + 1])) > 0) n++
    if (close(command) != 0 || n == 0) {
        print "man.awk: " command ": failed" >"/dev/stderr"
        exit_code = 1
        exit 1
    }
    return n
}

# "  --name   meaning [default]"
function option(text,    name, meaning, value)
{
    name = meaning = text
    sub(/^  --/, "", name); sub(/ .*/, "", name)
    sub(/^  --[^ ]+ */, "", meaning)
    if (match(meaning, / \[[^][]*\]$/)) {
        value = substr(meaning, RSTART + 2, RLENGTH - 3)
        meaning = substr(meaning, 1, RSTART - 1)
    }
    print ".TP"
    print "\\fB\\-\\-" roff(name) "\\fR \\fIvalue\\fR" \
        (name in short ? ", \\fB\\-" short[name] "\\fR \\fIvalue\\fR" : "")
    print roff(meaning) (value == "" ? "." : " [" roff(value) "].")
}

# Groups of options; only those of group `only` where it is given.
function groups(line, n, only,    i, title, told)
{
    for (i = 1; i <= n; i++) {
        if (line[i] ~ /^[^ ]/) {
            title = line[i]
            told = 0
        } else if (line[i] ~ /^  --[a-z]/ && (only == "" || only == title)) {
            if (!told++ && only == "") print ".SS \"" roff(title) "\""
            option(line[i])
        }
    }
}

# "Short: -m mode, -bs batch-size."
function shorts(text,    part, n, i, word)
{
    sub(/^Short: /, "", text); sub(/\.$/, "", text)
    n = split(text, part, /, /)
    for (i = 1; i <= n; i++) {
        split(part[i], word, " ")
        short[word[2]] = substr(word[1], 2)
    }
}

function models(line, n,    i, inside, name, about, own, m)
{
    for (i = 1; i <= n; i++) {
        if (line[i] !~ /^  /) inside = line[i] == "Models:"
        if (!inside || line[i] !~ /^  /) continue
        name = about = line[i]
        sub(/^ */, "", name); sub(/ .*/, "", name)
        sub(/^ *[^ ]+ */, "", about)
        print ".SS \"" roff(name) "\""
        print roff(about)
        m = listen(program " --model " name " --help", own)
        groups(own, m, about)
    }
}

function pages_of(list,    file, n, i, text, dir, section, word)
{
    dir = FILENAME
    sub(/[^\/]*$/, "", dir)
    n = split(list, file, " ")
    for (i = 1; i <= n; i++) {
        while ((getline text < (dir file[i])) > 0)
            if (text ~ /^[a-z_0-9-]+ \\- /) break
        close(dir file[i])
        split(text, word, " ")
        section = file[i]
        sub(/\.in$/, "", section); sub(/.*\./, "", section)
        sub(/^[^ ]+ \\- /, "", text)
        print ".TP\n.BR " word[1] " (" section ")\n" text
    }
}

function help()
{
    if (helped == "") {
        helped = listen(program " --help", said)
        for (k = 1; k <= helped; k++) if (said[k] ~ /^Short: /) shorts(said[k])
    }
    return helped
}

NR == 1 { print ".\\\" Made from apps/man/ and from what the program says of itself." }
/^@OPTIONS@$/ {
    n = help()
    print "Every option takes a value, written\n.BI \\-\\-name \" value\"\nor"
    print ".BI \\-\\-name= value\\fR;\ndefaults are in brackets."
    groups(said, n, "")
    print ".SS \"Help\"\n.TP\n\\fB\\-\\-help\\fR, \\fB\\-h\\fR\nlists the options with their defaults."
    next
}
/^@MODELS@$/ { n = help(); models(said, n); next }
/^@PRESETS@$/ {
    n = help()
    for (i = 1; i <= n; i++) if (sub(/^Presets: */, "", said[i])) print ".B " roff(said[i])
    next
}
/^@PAGES@$/ { pages_of(pages); next }
{ gsub(/@VERSION@/, version); print }
END { exit exit_code }
