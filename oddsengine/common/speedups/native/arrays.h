/* Arrays that grow, and numbers for objects by their identity. */
#ifndef ODDSENGINE_ARRAYS_H
#define ODDSENGINE_ARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define NONE UINT32_MAX

struct numbers {
    struct {
        const void *key;
        uint32_t number;
    } * cells;
    uint32_t bits, used;
};

static inline size_t place_of(const struct numbers *numbers, const void *key)
{
    return (size_t)(((uint64_t)(uintptr_t)key >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - numbers->bits));
}

static inline int grow(struct numbers *numbers)
{
    struct numbers larger = {NULL, numbers->bits ? numbers->bits + 1 : 8, numbers->used};
    size_t mask = ((size_t)1 << larger.bits) - 1;
    larger.cells = PyMem_Calloc(mask + 1, sizeof *larger.cells);
    if (!larger.cells) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; numbers->bits && i < (size_t)1 << numbers->bits; i++) {
        if (!numbers->cells[i].key) continue;
        size_t at = place_of(&larger, numbers->cells[i].key);
        while (larger.cells[at].key) at = (at + 1) & mask;
        larger.cells[at] = numbers->cells[i];
    }
    PyMem_Free(numbers->cells);
    *numbers = larger;
    return 0;
}

/* Returns the number of an object, the next one if it has none yet; NONE with an error. */
static inline uint32_t number_of(struct numbers *numbers, const void *key)
{
    if ((!numbers->bits || numbers->used >= (UINT32_C(1) << numbers->bits) / 2) && grow(numbers)) return NONE;
    size_t mask = ((size_t)1 << numbers->bits) - 1, at = place_of(numbers, key);
    for (; numbers->cells[at].key; at = (at + 1) & mask)
        if (numbers->cells[at].key == key) return numbers->cells[at].number;
    numbers->cells[at].key = key;
    return numbers->cells[at].number = numbers->used++;
}

/* Makes room for one more item of an array. */
static inline int make_room(void **items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) return 0;
    if (count >= NONE / 2) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t larger = *room ? *room * 2 : 256;
    void *moved = PyMem_Realloc(*items, larger * size);
    if (!moved) {
        PyErr_NoMemory();
        return -1;
    }
    *items = moved;
    *room = larger;
    return 0;
}

#endif
