/* Whether a ready fragment sets all that an earlier one of the same market has set. */
#include "loops.h"
#include "objects.h"

/* Returns the size of the number at the start of a text; 0 if there is none. */
static size_t number_size(const char *text, const char *end)
{
    const char *at = text;
    if (at < end && *at == '-') at++;
    if (at == end || *at < '0' || *at > '9') return 0;
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == 'e' || *at == 'E' || *at == '+' || *at == '-')) at++;
    return (size_t)(at - text);
}

/* Whether a number may begin here: after a quote that nothing escapes, and a colon. */
static int follows_key(const char *start, const char *at)
{
    return at - start >= 3 && at[-1] == ':' && at[-2] == '"' && at[-3] != '\\';
}

const char covers_doc[] =
    PyDoc_STR("covers(earlier, later)\n\n"
              "Check whether a ready fragment sets all that an earlier one of the same market has set: they differ in numbers only.");

PyObject *covers(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("covers", count, 2)) return NULL;
    if (check(PyBytes_Check(arguments[0]) && PyBytes_Check(arguments[1]), "fragments are bytes")) return NULL;
    const char *start = PyBytes_AS_STRING(arguments[0]), *end = start + PyBytes_GET_SIZE(arguments[0]), *at = start;
    const char *other = PyBytes_AS_STRING(arguments[1]), *other_end = other + PyBytes_GET_SIZE(arguments[1]);
    while (at < end && other < other_end) {
        size_t number = follows_key(start, at) ? number_size(at, end) : 0, other_number = number ? number_size(other, other_end) : 0;
        if (other_number) {
            at += number;
            other += other_number;
        } else if (*at++ != *other++) {
            Py_RETURN_FALSE;
        }
    }
    return PyBool_FromLong(at == end && other == other_end);
}
