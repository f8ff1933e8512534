# Gives each text a page of its own, on the way to Doxygen, and leads links between texts there.

function page(path)
{
    sub(/^\.\.\//, "", path)
    if (path == "README.md") return "mainpage"
    if (path == "TUTORIAL.md") path = "models/TUTORIAL.md"
    sub(/\.md$/, "", path)
    gsub(/[^A-Za-z0-9]/, "_", path)
    return "text_" path
}

FNR == 1 && /^# / {
    path = FILENAME
    if (index(path, ENVIRON["PWD"] "/") == 1) path = substr(path, length(ENVIRON["PWD"]) + 2)
    print $0 " {#" page(path) "}"
    next
}
/^```/ { code = !code }
!code {
    while (match($0, /\]\([A-Za-z_.\/-]*\.md\)/)) {
        path = page(substr($0, RSTART + 2, RLENGTH - 3))
        $0 = substr($0, 1, RSTART) "(@ref " (path == "mainpage" ? "index" : path) ")" \
            substr($0, RSTART + RLENGTH)
    }
}
{ print }
