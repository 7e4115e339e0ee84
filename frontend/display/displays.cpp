#include "frontend/display/displays.h"

#include "frontend/display/sdl_display.h"
#include "frontend/display/vnc_display.h"

namespace reprise::frontend {

Result<std::vector<std::unique_ptr<Display>>> open_displays(const std::vector<DisplayChoice>& choices,
                                                            machine::Machine& machine, const SayToUser& say) {
  std::vector<std::unique_ptr<Display>> displays;
  const auto views = std::make_shared<ViewMutex>();
  for (const DisplayChoice& choice : choices) {
    switch (choice.kind) {
      case DisplayChoice::Kind::None: break;
      case DisplayChoice::Kind::Sdl: displays.push_back(TRY(open_sdl_display(machine, views, say))); break;
      case DisplayChoice::Kind::Vnc:
        displays.push_back(TRY(open_vnc_display(choice.vnc, machine, views)));
        break;
    }
  }
  return displays;
}

}  // namespace reprise::frontend
