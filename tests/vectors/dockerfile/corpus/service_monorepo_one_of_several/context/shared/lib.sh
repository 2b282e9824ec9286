lib() { echo shared; }
