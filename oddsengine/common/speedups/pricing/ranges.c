/* Prices that follow from their selections' own fair odds: see `IncrementalBook._update_independent` and `rounder`. */
#include "pricing.h"

static struct layout book_layout = {
    NULL,
    {0},
    {"_floors", "_ceilings", "_range_lows", "_range_highs", "_own_floors", "_own_ceilings", "_roundings", "prices", NULL}};
enum { FLOORS, CEILINGS, RANGE_LOWS, RANGE_HIGHS, OWN_FLOORS, OWN_CEILINGS, ROUNDINGS, PRICES, LISTS };

/* Those of `rounding` and `incremental_book`. */
#define ON_TICK 1e-9
#define INSET 1e-12

/* A range of odds or of a scale: from its first end up to but not including the other. */
struct range {
    double low, high;
};

static int is_in(const struct range *range, double number)
{
    return range->low <= number && number < range->high;
}

static int read_range(PyObject *lows, PyObject *highs, Py_ssize_t index, struct range *range)
{
    range->low = PyFloat_AsDouble(PyList_GET_ITEM(lows, index));
    range->high = PyFloat_AsDouble(PyList_GET_ITEM(highs, index));
    return PyErr_Occurred() ? -1 : 0;
}

static int set_range(PyObject *lows, PyObject *highs, Py_ssize_t index, struct range range)
{
    return set_number(lows, index, range.low) || set_number(highs, index, range.high) ? -1 : 0;
}

/* -- rounding ----------------------------------------------------------------------------------------------------------- */

/* How a profile prices and rounds: an entry of `_roundings`, with the index of the profile. */
struct rounding {
    Py_ssize_t profile;
    double book_sum, min_odds, max_odds;
    PyObject *ticks;
};

static int read_rounding(PyObject *entry, struct rounding *rounding)
{
    return PyArg_ParseTuple(entry, "ndddO", &rounding->profile, &rounding->book_sum, &rounding->min_odds, &rounding->max_odds,
                            &rounding->ticks)
               ? 0
               : -1;
}

/* Returns a tick of a ladder as a new reference. */
static PyObject *tick_at(PyObject *ticks, Py_ssize_t index)
{
    return PyTuple_CheckExact(ticks) ? Py_NewRef(PyTuple_GET_ITEM(ticks, index)) : PySequence_GetItem(ticks, index);
}

/* Returns a tick as a number, -1 with an error. */
static double odds_at(PyObject *ticks, Py_ssize_t index)
{
    PyObject *tick = tick_at(ticks, index);
    double odds = tick ? PyFloat_AsDouble(tick) : -1.0;
    Py_XDECREF(tick);
    return odds;
}

/* Returns how many ticks are not above some odds, -1 with an error. */
static Py_ssize_t position_of(PyObject *ticks, double odds_milli)
{
    Py_ssize_t low = 0, high = PySequence_Size(ticks);
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        double odds = odds_at(ticks, middle);
        if (odds < 0.0) return -1;
        if (odds_milli < odds) high = middle;
        else low = middle + 1;
    }
    return high < 0 ? -1 : low;
}

/* Rounds odds down onto a ladder. Returns the price, None for none, and the range of odds that round to it. */
static PyObject *round_down(const struct rounding *rounding, double quoted, struct range *range)
{
    *range = (struct range){0.0, rounding->min_odds};
    if (quoted < rounding->min_odds) Py_RETURN_NONE;
    double max_milli = rounding->max_odds * 1000.0 + ON_TICK;
    Py_ssize_t position = position_of(rounding->ticks, quoted < rounding->max_odds ? quoted * 1000.0 + ON_TICK : max_milli);
    if (position < 0) return NULL;
    *range = (struct range){rounding->min_odds, Py_HUGE_VAL};
    if (position < PySequence_Size(rounding->ticks)) {
        double following = odds_at(rounding->ticks, position);
        if (following < 0.0) return NULL;
        if (following <= max_milli) range->high = (following - ON_TICK) / 1000.0;
    }
    if (!position) Py_RETURN_NONE;
    PyObject *price = tick_at(rounding->ticks, position - 1);
    double low = price ? (PyFloat_AsDouble(price) - ON_TICK) / 1000.0 : 0.0;
    if (low > range->low) range->low = low;
    return price;
}

/* -- prices ------------------------------------------------------------------------------------------------------------- */

/* Notes that a selection's price has changed. */
static int add_index(PyObject *changed, Py_ssize_t index)
{
    PyObject *number = PyLong_FromSsize_t(index);
    int failed = number ? PySet_Add(changed, number) : -1;
    Py_XDECREF(number);
    return failed;
}

/* Sets a price, whose reference it takes. */
static int set_price(PyObject *prices, Py_ssize_t profile, Py_ssize_t index, PyObject *price, PyObject *changed)
{
    PyObject *own = profile < PyList_GET_SIZE(prices) ? PyList_GET_ITEM(prices, profile) : NULL;
    int is_known = price && own && PyList_Check(own) && index < PyList_GET_SIZE(own);
    int is_same = is_known ? PyObject_RichCompareBool(PyList_GET_ITEM(own, index), price, Py_EQ) : -1;
    if (is_same) {
        Py_XDECREF(price);
        if (is_same < 0 && !PyErr_Occurred()) check(0, "each profile has a list of prices");
        return is_same < 0 ? -1 : 0;
    }
    return PyList_SetItem(own, index, price) ? -1 : add_index(changed, index);
}

/* Prices a selection in the profiles where it moves. Sets the range of fair odds in which all these prices stay. */
static int price_one(PyObject **lists, Py_ssize_t index, double fair_odds, PyObject *changed, struct range *all)
{
    PyObject *roundings = lists[ROUNDINGS], *lows = PyList_GET_ITEM(lists[OWN_FLOORS], index);
    PyObject *highs = PyList_GET_ITEM(lists[OWN_CEILINGS], index);
    Py_ssize_t count = PyList_GET_SIZE(roundings);
    int is_right = PyList_Check(lows) && PyList_Check(highs) && PyList_GET_SIZE(lows) == count && PyList_GET_SIZE(highs) == count;
    if (check(is_right, "each selection has a range for each profile")) return -1;
    *all = (struct range){-Py_HUGE_VAL, Py_HUGE_VAL};
    for (Py_ssize_t place = 0; place < count; place++) {
        struct range range;
        if (read_range(lows, highs, place, &range)) return -1;
        if (!is_in(&range, fair_odds)) {
            struct rounding rounding;
            if (read_rounding(PyList_GET_ITEM(roundings, place), &rounding)) return -1;
            PyObject *price = round_down(&rounding, fair_odds / rounding.book_sum, &range);
            if (set_price(lists[PRICES], rounding.profile, index, price, changed)) return -1;
            range = (struct range){range.low * rounding.book_sum * (1 + INSET), range.high * rounding.book_sum * (1 - INSET)};
            if (set_range(lows, highs, place, range)) return -1;
        }
        if (range.low > all->low) all->low = range.low;
        if (range.high < all->high) all->high = range.high;
    }
    return 0;
}

/* Takes away the prices of a selection that has no odds. */
static int unprice_one(PyObject **lists, Py_ssize_t index, PyObject *changed, struct range *all)
{
    for (Py_ssize_t place = 0; place < PyList_GET_SIZE(lists[ROUNDINGS]); place++) {
        struct rounding rounding;
        if (read_rounding(PyList_GET_ITEM(lists[ROUNDINGS], place), &rounding)) return -1;
        if (set_price(lists[PRICES], rounding.profile, index, Py_NewRef(Py_None), changed)) return -1;
        if (set_number(PyList_GET_ITEM(lists[OWN_FLOORS], index), place, Py_HUGE_VAL)) return -1;
    }
    *all = (struct range){Py_HUGE_VAL, -Py_HUGE_VAL};
    return 0;
}

/* Follows the inverse of a selection that moved: it may stay in its range. */
static int follow(PyObject **lists, Py_ssize_t index, double inverse, double scale)
{
    struct range range;
    if (read_range(lists[RANGE_LOWS], lists[RANGE_HIGHS], index, &range)) return -1;
    if (inverse != 0.0 && is_in(&range, scale * inverse))
        return set_range(lists[FLOORS], lists[CEILINGS], index, (struct range){range.low / inverse, range.high / inverse});
    return set_number(lists[FLOORS], index, Py_HUGE_VAL);
}

/* Prices a selection if the scale has left its range. */
static int settle(PyObject **lists, Py_ssize_t index, double inverse, double scale, PyObject *changed)
{
    struct range range;
    if (read_range(lists[FLOORS], lists[CEILINGS], index, &range)) return -1;
    if (is_in(&range, scale)) return 0;
    if (inverse == 0.0) {
        if (unprice_one(lists, index, changed, &range)) return -1;
        if (set_range(lists[RANGE_LOWS], lists[RANGE_HIGHS], index, range)) return -1;
        return set_range(lists[FLOORS], lists[CEILINGS], index, (struct range){-Py_HUGE_VAL, Py_HUGE_VAL});
    }
    if (price_one(lists, index, scale * inverse, changed, &range)) return -1;
    if (set_range(lists[RANGE_LOWS], lists[RANGE_HIGHS], index, range)) return -1;
    return set_range(lists[FLOORS], lists[CEILINGS], index, (struct range){range.low / inverse, range.high / inverse});
}

/* Returns an inverse probability, 0 where there is none, -1 with an error. */
static double inverse_at(PyObject *inverses, Py_ssize_t index)
{
    PyObject *inverse = PyList_GET_ITEM(inverses, index);
    return inverse == Py_None ? 0.0 : PyFloat_AsDouble(inverse);
}

const char update_independent_doc[] = PyDoc_STR("update_independent(book, inverses, scale, moved, changed)\n\n"
                                                "Price what moved, and add the indices of the selections whose prices changed.");

PyObject *update_independent(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("update_independent", count, 5)) return NULL;
    PyObject *lists[LISTS], *inverses = arguments[1], *moved = arguments[3], *changed = arguments[4];
    if (check(PyList_Check(inverses) && PyList_Check(moved) && PySet_Check(changed), "two lists and a set are needed")) return NULL;
    Py_ssize_t size = PyList_GET_SIZE(inverses);
    for (int i = 0; i < LISTS; i++)
        if (!(lists[i] = read_list(&book_layout, arguments[0], i, i < ROUNDINGS ? size : -1))) return NULL;
    double scale = PyFloat_AsDouble(arguments[2]);
    if (PyErr_Occurred()) return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(moved); i++) {
        Py_ssize_t index = PyLong_AsSsize_t(PyList_GET_ITEM(moved, i));
        if (PyErr_Occurred() || check(index >= 0 && index < size, "an index is that of a selection")) return NULL;
        double inverse = inverse_at(inverses, index);
        if (inverse < 0.0 || follow(lists, index, inverse, scale)) return NULL;
    }
    for (Py_ssize_t index = 0; index < size; index++) {
        double inverse = inverse_at(inverses, index);
        if (inverse < 0.0 || settle(lists, index, inverse, scale, changed)) return NULL;
    }
    Py_RETURN_NONE;
}
