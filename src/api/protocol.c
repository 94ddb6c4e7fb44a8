/* The defaults of a protocol. Everything that is not named here defaults to 0 or NULL, which say so in the header. */
#include "penchant/protocol.h"

#include <math.h>

void pen_protocol_init(pen_protocol *protocol)
{
    *protocol = (pen_protocol){
        .struct_size = sizeof *protocol,
        .min_value = NAN,
        .positive = NAN,
        .task = PEN_TASK_RANK,
        .refit = 1,
        .seeds = 1,
        .bootstrap = 1000,
        .seed = 1,
    };
}
