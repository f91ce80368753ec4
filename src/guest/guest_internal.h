/*
 * guest_internal.h: what a guest consists of. Private to this room.
 */
#ifndef WEIR_GUEST_GUEST_INTERNAL_H
#define WEIR_GUEST_GUEST_INTERNAL_H

#include "guest/guest.h"

struct weir_guest {
    weir_service_t *service; /* own */
    const weir_component_t *component;
    weir_guest_kind_t kind;
};

#endif
