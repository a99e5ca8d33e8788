/* The probabilities that selections' own best offers imply, and their bounds: see `PricedGroup`. */
#include "pricing.h"

static struct layout book_layout = {NULL, {0}, {"best_version", "_top_back", "_top_lay", "_best_back", "_best_lay", "quote", NULL}};
enum { BEST_VERSION, TOPS, BESTS = 3, QUOTE = 5 };
static struct layout group_layout = {
    NULL,
    {0},
    {"_versioned", "_best_offers", "probabilities", "inverses", "lows", "highs", "_floors", "_ceilings", "_min_factors",
     "_max_factors", NULL}};
enum { BOOKS, BEST_OFFERS, PROBABILITIES, INVERSES, LOWS, HIGHS, FLOORS, CEILINGS, MIN_FACTORS, MAX_FACTORS, LISTS };

/* Those of `PricedGroup`. */
#define SAFE (1.0 + 1e-12)

/* Adds an index to a list. */
static int append_index(PyObject *indices, Py_ssize_t index)
{
    PyObject *number = PyLong_FromSsize_t(index);
    int failed = number ? PyList_Append(indices, number) : -1;
    Py_XDECREF(number);
    return failed;
}

static int are_alike(PyObject *one, PyObject *other)
{
    return PyList_Check(one) && PyList_Check(other) && PyList_GET_SIZE(one) == PyList_GET_SIZE(other);
}

const char changed_books_doc[] =
    PyDoc_STR("changed_books(books, versions) -> indices\n\n"
              "Return the indices of the books whose best offers may have changed since their versions were noted, and note them.");

PyObject *changed_books(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("changed_books", count, 2)) return NULL;
    PyObject *books = arguments[0], *versions = arguments[1];
    if (check(are_alike(books, versions), "books and versions are lists of one size")) return NULL;
    PyObject *indices = PyList_New(0);
    for (Py_ssize_t i = 0; indices && i < PyList_GET_SIZE(books); i++) {
        PyObject *version = read_slot(&book_layout, PyList_GET_ITEM(books, i), BEST_VERSION);
        int is_same = version ? PyObject_RichCompareBool(version, PyList_GET_ITEM(versions, i), Py_EQ) : -1;
        if (is_same > 0) continue;
        if (is_same < 0 || append_index(indices, i) || PyList_SetItem(versions, i, Py_NewRef(version))) Py_CLEAR(indices);
    }
    return indices;
}

const char differing_doc[] = PyDoc_STR("differing(before, now) -> indices\n\n"
                                       "Return the indices of the numbers that are no longer those of before.");

PyObject *differing(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("differing", count, 2)) return NULL;
    PyObject *before = arguments[0], *now = arguments[1];
    if (check(are_alike(before, now), "the numbers of before and now are lists of one size")) return NULL;
    PyObject *indices = PyList_New(0);
    for (Py_ssize_t i = 0; indices && i < PyList_GET_SIZE(now); i++) {
        int is_same = PyObject_RichCompareBool(PyList_GET_ITEM(before, i), PyList_GET_ITEM(now, i), Py_EQ);
        if (is_same < 0 || (!is_same && append_index(indices, i))) Py_CLEAR(indices);
    }
    return indices;
}

/* A price and a size, both 0 where there is no offer. */
struct offer {
    int exists;
    double price, size;
};

static int read_offer(PyObject *row, struct offer *offer)
{
    *offer = (struct offer){row != Py_None, 0.0, 0.0};
    if (!offer->exists) return 0;
    if (check(PyTuple_Check(row) && PyTuple_GET_SIZE(row) == 2, "an offer is a price and a size")) return -1;
    offer->price = PyFloat_AsDouble(PyTuple_GET_ITEM(row, 0));
    offer->size = PyFloat_AsDouble(PyTuple_GET_ITEM(row, 1));
    return PyErr_Occurred() ? -1 : 0;
}

/* Looks the best offers of a book up again where they are not known. */
static int find_best(PyObject *book)
{
    for (int side = 0; side < 2; side++) {
        PyObject *top = read_slot(&book_layout, book, TOPS + side);
        if (!top) return -1;
        double price = PyFloat_AsDouble(top);
        if (price != 0.0 && price != Py_HUGE_VAL) continue;
        PyObject *best = PyErr_Occurred() ? NULL : PyObject_CallMethod(book, "best", NULL);
        Py_XDECREF(best);
        return best ? 0 : -1;
    }
    return 0;
}

/* See `fair_from_offers`. Returns 0 where there is no probability. */
static double implied(const struct offer *back, const struct offer *lay, double max_spread, double min_size)
{
    if (!back->exists || !lay->exists) return 0.0;
    if (!(0.0 < back->price && back->price <= lay->price && lay->price <= back->price * (1.0 + max_spread))) return 0.0;
    if (back->size < min_size || lay->size < min_size) return 0.0;
    return (back->size / lay->price + lay->size / back->price) / (back->size + lay->size);
}

/* See `bounds`. */
static double lower_bound(const struct offer *lay)
{
    return !lay->exists ? 0.0 : lay->price > 1.0 ? 1.0 / lay->price : 1.0;
}

static double upper_bound(const struct offer *back)
{
    return back->exists && back->price > 1.0 ? 1.0 / back->price : 1.0;
}

/* Sets the probability of a selection, 0 for none. Returns whether it changed, -1 with an error. */
static int set_probability(PyObject **lists, Py_ssize_t index, double probability)
{
    PyObject *before = PyList_GET_ITEM(lists[PROBABILITIES], index);
    if (before == Py_None ? probability == 0.0 : PyFloat_AsDouble(before) == probability) return 0;
    if (PyErr_Occurred()) return -1;
    if (probability == 0.0) {
        int failed = PyList_SetItem(lists[PROBABILITIES], index, Py_NewRef(Py_None));
        return failed || PyList_SetItem(lists[INVERSES], index, Py_NewRef(Py_None)) ? -1 : 1;
    }
    return set_number(lists[PROBABILITIES], index, probability) || set_number(lists[INVERSES], index, 1.0 / probability) ? -1 : 1;
}

/* See `PricedGroup._set_limits`. */
static int set_limits(PyObject **lists, Py_ssize_t index, double probability, double low, double high)
{
    int is_crossed = low > high;
    double floor = probability, ceiling = probability, min_factor = Py_HUGE_VAL, max_factor = -Py_HUGE_VAL;
    if (probability == 0.0) {
        floor = is_crossed ? Py_HUGE_VAL : low;
        ceiling = is_crossed ? -Py_HUGE_VAL : high;
    } else {
        double inverse = 1.0 / probability;
        min_factor = low * inverse * SAFE;
        max_factor = high * inverse / SAFE;
    }
    return set_number(lists[FLOORS], index, floor) || set_number(lists[CEILINGS], index, ceiling) ||
                   set_number(lists[MIN_FACTORS], index, min_factor) || set_number(lists[MAX_FACTORS], index, max_factor)
               ? -1
               : 0;
}

/* Sets the bounds of a selection. Returns whether one changed, -1 with an error. */
static int set_bounds(PyObject **lists, Py_ssize_t index, double low, double high)
{
    double before_low = PyFloat_AsDouble(PyList_GET_ITEM(lists[LOWS], index));
    double before_high = PyFloat_AsDouble(PyList_GET_ITEM(lists[HIGHS], index));
    if (PyErr_Occurred()) return -1;
    if (before_low == low && before_high == high) return 0;
    return set_number(lists[LOWS], index, low) || set_number(lists[HIGHS], index, high) ? -1 : 1;
}

/* Notes the best offers of a selection. Returns whether they changed, -1 with an error. */
static int note_offers(PyObject *best_offers, Py_ssize_t index, PyObject *back, PyObject *lay)
{
    PyObject *before = PyList_GET_ITEM(best_offers, index);
    if (PyTuple_Check(before) && PyTuple_GET_SIZE(before) == 2) {
        int is_same = PyObject_RichCompareBool(back, PyTuple_GET_ITEM(before, 0), Py_EQ);
        if (is_same > 0) is_same = PyObject_RichCompareBool(lay, PyTuple_GET_ITEM(before, 1), Py_EQ);
        if (is_same) return is_same < 0 ? -1 : 0;
    }
    PyObject *now = PyTuple_Pack(2, back, lay);
    return now ? (PyList_SetItem(best_offers, index, now) ? -1 : 1) : -1;
}

/* Updates what follows from one book. Returns whether something changed, -1 with an error. */
static int imply_one(PyObject **lists, Py_ssize_t index, double max_spread, double min_size)
{
    PyObject *book = PyList_GET_ITEM(lists[BOOKS], index);
    if (find_best(book)) return -1;
    PyObject *rows[2] = {read_slot(&book_layout, book, BESTS), read_slot(&book_layout, book, BESTS + 1)};
    struct offer back, lay;
    if (!rows[0] || !rows[1] || read_offer(rows[0], &back) || read_offer(rows[1], &lay)) return -1;
    int is_new = note_offers(lists[BEST_OFFERS], index, rows[0], rows[1]);
    if (is_new <= 0) return is_new;
    double probability = implied(&back, &lay, max_spread, min_size), low = lower_bound(&lay), high = upper_bound(&back);
    int has_moved = set_probability(lists, index, probability), is_bounded = set_bounds(lists, index, low, high);
    if (has_moved < 0 || is_bounded < 0) return -1;
    if (!has_moved && !is_bounded) return 0;
    return set_limits(lists, index, probability, low, high) ? -1 : 1;
}

/* Reads an index of a book, -1 with an error. */
static Py_ssize_t index_at(PyObject *indices, Py_ssize_t at, PyObject *books)
{
    Py_ssize_t index = PyLong_AsSsize_t(PyList_GET_ITEM(indices, at));
    if (PyErr_Occurred() || check(index >= 0 && index < PyList_GET_SIZE(books), "an index is that of a book")) return -1;
    return index;
}

/* Checks whether a book of some indices is quoted by a bookmaker; -1 with an error. */
static int is_quoted(PyObject *books, PyObject *indices)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(indices); i++) {
        Py_ssize_t index = index_at(indices, i, books);
        PyObject *quote = index < 0 ? NULL : read_slot(&book_layout, PyList_GET_ITEM(books, index), QUOTE);
        if (quote != Py_None) return quote ? 1 : -1;
    }
    return 0;
}

const char imply_singly_doc[] =
    PyDoc_STR("imply_singly(group, indices, max_spread, min_size) -> bool | None\n\n"
              "Update the probabilities of selections from their own books; return whether one or its bounds have changed.\n"
              "Return None where one is quoted by a bookmaker.");

PyObject *imply_singly(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("imply_singly", count, 4)) return NULL;
    PyObject *lists[LISTS], *indices = arguments[1];
    for (int i = 0; i < LISTS; i++)
        if (!(lists[i] = read_list(&group_layout, arguments[0], i, i ? PyList_GET_SIZE(lists[0]) : -1))) return NULL;
    double max_spread = PyFloat_AsDouble(arguments[2]), min_size = PyFloat_AsDouble(arguments[3]);
    if (PyErr_Occurred() || check(PyList_Check(indices), "the indices are a list")) return NULL;
    int quoted = is_quoted(lists[BOOKS], indices), has_moved = 0;
    if (quoted < 0) return NULL;
    if (quoted) Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(indices); i++) {
        int moved = imply_one(lists, PyLong_AsSsize_t(PyList_GET_ITEM(indices, i)), max_spread, min_size);
        if (moved < 0) return NULL;
        has_moved |= moved;
    }
    return PyBool_FromLong(has_moved);
}
