package org.nrg.xft;

/** Signature of XNAT's item; compiled against, never packed. */
public interface ItemI {
}
