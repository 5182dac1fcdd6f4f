"""The demos' data and specs, as files of the wheel; `martello demo` writes them out."""
