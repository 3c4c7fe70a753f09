// ^C as a question instead of an end.

#ifndef ENGRAM_TOOLS_CTL_INTERRUPT_H_
#define ENGRAM_TOOLS_CTL_INTERRUPT_H_

namespace engram::ctl {

// From now on the first SIGINT makes Interrupted() true; the second ends the
// process as usual. A SIGINT that the parent ignores stays ignored.
void CatchInterrupt();

bool Interrupted();

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_INTERRUPT_H_
