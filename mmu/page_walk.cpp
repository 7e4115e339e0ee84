// The page walker over memory behind an interface; the MMU uses page_walk_over directly. See
// page_walk_impl.h.
#include "mmu/page_walk.h"

#include "mmu/page_walk_impl.h"

namespace reprise::mmu {

WalkResult page_walk(const PagingContext& context, WalkMemory& memory, u64 linear, Access access, View view,
                     WalkEffects effects) {
  return page_walk_over(context, memory, linear, access, view, effects);
}

}  // namespace reprise::mmu
