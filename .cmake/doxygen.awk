# Turns the comments of a header into Doxygen's, on the way to it: the comment on top becomes the
# page of the file, a comment before declarations that of each of them up to the next empty line,
# one behind a member or a prototype that of what stands before it. Formulas keep their lines.

function escape(text)
{
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    gsub(/[\\@#%]/, "\\\\&", text)
    gsub(/\*/, "\\&lowast;", text)
    gsub(/\|/, "\\&#124;", text)
    gsub(/~/, "\\~", text)
    return text
}

# Lines word[1..count] of a comment as Doxygen's text.
function body(    i, text, formula, out)
{
    for (i = 1; i <= count; i++) {
        text = word[i]
        if (!formula && text ~ /^    .*(=|<-)/) {
            formula = 1
            out = out "\n@verbatim"
        } else if (formula && text !~ /^    /) {
            formula = 0
            out = out "\n@endverbatim"
        }
        out = out "\n" (formula ? text : escape(text))
    }
    return out (formula ? "\n@endverbatim" : "")
}

# Adds a line of a comment; returns whether the comment goes on.
function take(text, first,    more)
{
    more = text !~ /\*\//
    sub(/[ \t]*\*\/.*/, "", text)
    if (first) sub(/^[ \t]*\/\*+ ?/, "", text); else sub(/^[ \t]*\*? ?/, "", text)
    if (text != "" || count) word[++count] = text
    return more
}

function flush_comment()
{
    if (heading) {
        sub(/^[a-z0-9_]+\.h - /, "", word[1])
        print "/** @file" body() "\n*/"
        heading = 0
        spoken = ""
    } else if (sub(/^---- .* ----$/, "", word[1]) && count == 1) {
        spoken = "" # the title of a section
    } else {
        sub(/^---- [^-]* ----:? */, "", word[1])
        spoken = "/**" body() "\n*/"
        print spoken
        fresh = 1
    }
    count = 0
}

NR == 1 { heading = 1 }
inside {
    inside = take($0, 0)
    if (!inside) {
        if (behind) { print "/**<" body() "\n*/"; count = behind = 0 } else flush_comment()
    }
    next
}
/^[ \t]*\/\*/ && column && index($0, "/*") == column { # a member's comment goes on below it
    behind = 1
    inside = take($0, 1)
    if (!inside) { print "/**<" body() "\n*/"; count = behind = 0 }
    next
}
/^[ \t]*\/\*/ {
    column = 0
    inside = take($0, 1)
    if (!inside) flush_comment()
    next
}
{ column = 0 }
/^[ \t]*$/ { spoken = "" }
/^#/ { spoken = "" }
/\/\*/ && !/^#/ { # behind something
    at = index($0, "/*")
    code = substr($0, 1, at - 1)
    again()
    print code
    column = at
    behind = 1
    inside = take(substr($0, at), 1)
    if (!inside) { print "/**<" body() "\n*/"; count = behind = 0 }
    next
}
{ again(); print }

# A declaration that begins in column 0 and is not the first below its comment says it again.
function again()
{
    if (spoken != "" && $0 ~ /^[a-z]/) {
        if (!fresh) print spoken
        fresh = 0
    }
}
