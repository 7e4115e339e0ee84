// What Xlib does when something goes wrong is to end the process; the guest is to live on.
#pragma once

#include <atomic>
#include <functional>

struct SDL_Window;

namespace reprise::frontend {

/// A window that somebody else has destroyed is none of the guest's affairs. SDL has handlers of its own: before and behind what
/// installs them.
void ignore_x11_errors();

/// Does `work`, which may be left in the middle: nothing that it calls may own anything. False: an X server that it spoke with has
/// gone, and what SDL has there must not be used any more.
bool survives_x11_server(const std::function<void()>& work);

/// The end of the connection that `window` lies on sets `gone`, on the thread that uses SDL, instead of ending the process. Does
/// nothing where there is no X server. `gone` outlives the connection.
void outlive_x11_server(SDL_Window* window, std::atomic<bool>& gone);

/// That of the connection, which any thread may shut down: whoever waits for a server that does not answer then sees its end. -1:
/// there is none. Valid until the window goes.
int x11_descriptor(SDL_Window* window);

/// Returns when it has done all that it was asked for, or the connection has ended.
void wait_for_x11_server(SDL_Window* window);

}  // namespace reprise::frontend
