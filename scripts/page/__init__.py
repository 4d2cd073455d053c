"""`make report`: one self-contained HTML file about the images of the catalogue."""
