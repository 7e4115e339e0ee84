// What `explain` says of a page fault that an access takes: who was entered, what the kernel made of it, what is different then.
#pragma once

#include "machine/monitor/command.h"
#include "machine/past/excursion.h"

namespace reprise::machine::monitor {

/// Adds to `answer` what comes of the access that `processor` makes where `trip` stands, if it faults on the page of `linear`. The
/// machine is elsewhere then. Error: interrupted, a sentence.
Result<Done> explain_fault(Excursion& trip, unsigned processor, u64 linear, Answer& answer);

/// The same of a run whose way from here on nobody knows: why not, and what to do, where an access of the page may fault.
void explain_unknown_answer(Machine& machine, unsigned processor, u64 linear, Answer& answer);

}  // namespace reprise::machine::monitor
