// How urgent a thread is.

#ifndef ENGRAM_STORAGE_BASE_THREAD_PRIORITY_H_
#define ENGRAM_STORAGE_BASE_THREAD_PRIORITY_H_

namespace engram {

// Puts the calling thread behind those of the application and of the log, for
// good: an acknowledgement must not wait for the processor behind indexing or a
// checkpoint. For threads that the engine started itself.
void LowerThreadPriority();

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_THREAD_PRIORITY_H_
