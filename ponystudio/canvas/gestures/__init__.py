"""What hands do on the canvas, each gesture an object."""
