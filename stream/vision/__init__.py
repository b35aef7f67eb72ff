"""Pure functions on arrays. numpy and OpenCV only; nothing of the project."""
