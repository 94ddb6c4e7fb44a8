/* The doctor, by its public name. */
#include "penchant/doctor.h"

#include "api/report.h"
#include "base/progress.h"
#include "data/doctor.h"

pen_status pen_doctor(const pen_dataset *log, const pen_protocol *protocol, pen_report **report, pen_error *error)
{
    PEN_CHECK(log && protocol && report, PEN_E_ARGUMENT,
              "pen_doctor: a log, a protocol and a place for the report are needed");
    *report = NULL;
    pen__cancel_clear(log->ctx);
    PEN_TRY(pen__report_new(log->ctx, report, error));
    pen_status status = pen__doctor(log, protocol, &(*report)->text, error);
    if (status != PEN_OK) {
        pen_report_destroy(*report);
        *report = NULL;
    }
    return status;
}
