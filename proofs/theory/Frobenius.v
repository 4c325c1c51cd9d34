(** Frobenius inner product <A, B> = tr (A B^T) and the squared norm |A|^2,
    over any real closed field. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Frobenius.
Variable R : rcfType.

Lemma trmxZ m n a (A : 'M[R]_(m, n)) : (a *: A)^T = a *: A^T.
Proof. by rewrite linearZ. Qed.
Lemma trmxN m n (A : 'M[R]_(m, n)) : (- A)^T = - A^T.
Proof. by rewrite linearN. Qed.
Lemma trmxB m n (A B : 'M[R]_(m, n)) : (A - B)^T = A^T - B^T.
Proof. by rewrite linearB. Qed.
Lemma trmxD m n (A B : 'M[R]_(m, n)) : (A + B)^T = A^T + B^T.
Proof. by rewrite linearD. Qed.

(** Locked, so that [ring] and [field] see a product <A, B> as an atom. *)
Definition frob m n (A B : 'M[R]_(m, n)) : R := locked (\tr (A *m B^T)).
Definition sqF m n (A : 'M[R]_(m, n)) : R := frob A A.

Lemma frob_def m n (A B : 'M[R]_(m, n)) : frob A B = \tr (A *m B^T).
Proof. by rewrite /frob -lock. Qed.

Lemma frobE m n (A B : 'M[R]_(m, n)) :
  frob A B = \sum_i \sum_j A i j * B i j.
Proof.
rewrite frob_def; apply: eq_bigr => i _; rewrite mxE.
by apply: eq_bigr => j _; rewrite mxE.
Qed.

(** The same sum, column by column. *)
Lemma frobEcol m n (A B : 'M[R]_(m, n)) :
  frob A B = \sum_j \sum_i A i j * B i j.
Proof. by rewrite frobE exchange_big. Qed.

(** ** Bilinearity *)
Lemma frobC m n (A B : 'M[R]_(m, n)) : frob A B = frob B A.
Proof. by rewrite !frob_def -mxtrace_tr trmx_mul trmxK. Qed.
Lemma frobDl m n (A B C : 'M[R]_(m, n)) : frob (A + B) C = frob A C + frob B C.
Proof. by rewrite !frob_def mulmxDl mxtraceD. Qed.
Lemma frobNl m n (A C : 'M[R]_(m, n)) : frob (- A) C = - frob A C.
Proof. by rewrite !frob_def mulNmx raddfN. Qed.
Lemma frobBl m n (A B C : 'M[R]_(m, n)) : frob (A - B) C = frob A C - frob B C.
Proof. by rewrite frobDl frobNl. Qed.
Lemma frobZl m n a (A C : 'M[R]_(m, n)) : frob (a *: A) C = a * frob A C.
Proof. by rewrite !frob_def -scalemxAl mxtraceZ. Qed.
Lemma frobDr m n (A B C : 'M[R]_(m, n)) : frob C (A + B) = frob C A + frob C B.
Proof. by rewrite !(frobC C) frobDl. Qed.
Lemma frobNr m n (A C : 'M[R]_(m, n)) : frob C (- A) = - frob C A.
Proof. by rewrite !(frobC C) frobNl. Qed.
Lemma frobBr m n (A B C : 'M[R]_(m, n)) : frob C (A - B) = frob C A - frob C B.
Proof. by rewrite !(frobC C) frobBl. Qed.
Lemma frobZr m n a (A C : 'M[R]_(m, n)) : frob C (a *: A) = a * frob C A.
Proof. by rewrite !(frobC C) frobZl. Qed.
Lemma frob0l m n (A : 'M[R]_(m, n)) : frob 0 A = 0.
Proof. by rewrite frob_def mul0mx mxtrace0. Qed.
Lemma frob0r m n (A : 'M[R]_(m, n)) : frob A 0 = 0.
Proof. by rewrite frobC frob0l. Qed.
Lemma frob_tr m n (A B : 'M[R]_(m, n)) : frob A^T B^T = frob A B.
Proof. by rewrite !frob_def -mxtrace_tr trmx_mul !trmxK mxtrace_mulC. Qed.

(** ** Adjoints: <A B, C> = <A, C B^T> = <B, A^T C> *)
Lemma frob_mull m p n (A : 'M[R]_(m, p)) (B : 'M_(p, n)) C :
  frob (A *m B) C = frob A (C *m B^T).
Proof. by rewrite !frob_def trmx_mul trmxK mulmxA. Qed.
Lemma frob_mulr m p n (A : 'M[R]_(m, p)) (B : 'M_(p, n)) C :
  frob (A *m B) C = frob B (A^T *m C).
Proof. by rewrite !frob_def -mulmxA mxtrace_mulC trmx_mul trmxK -mulmxA. Qed.

(** <A, B> is the sum of the products of the rows. *)
Lemma frob_rows m n (A B : 'M[R]_(m, n)) :
  frob A B = \sum_i frob (row i A) (row i B).
Proof.
rewrite frobE; apply: eq_bigr => i _; rewrite frobE big_ord_recl big_ord0 addr0.
by apply: eq_bigr => j _; rewrite !mxE.
Qed.

(** ** The squared norm *)
Lemma sqF_tr m n (A : 'M[R]_(m, n)) : sqF A^T = sqF A.
Proof. exact: frob_tr. Qed.
Lemma sqFZ m n a (A : 'M[R]_(m, n)) : sqF (a *: A) = a ^+ 2 * sqF A.
Proof. by rewrite /sqF frobZl frobZr mulrA. Qed.
Lemma sqFN m n (A : 'M[R]_(m, n)) : sqF (- A) = sqF A.
Proof. by rewrite /sqF frobNl frobNr opprK. Qed.
Lemma sqFD m n (A B : 'M[R]_(m, n)) :
  sqF (A + B) = sqF A + 2%:R * frob A B + sqF B.
Proof. by rewrite /sqF !(frobDl, frobDr) (frobC B A); ring. Qed.
Lemma sqFB m n (A B : 'M[R]_(m, n)) :
  sqF (A - B) = sqF A - 2%:R * frob A B + sqF B.
Proof. by rewrite sqFD frobNr sqFN mulrN. Qed.
Lemma sqF_ge0 m n (A : 'M[R]_(m, n)) : 0 <= sqF A.
Proof.
rewrite /sqF frobE; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _.
exact: sqr_ge0.
Qed.
Lemma sqF_eq0 m n (A : 'M[R]_(m, n)) : (sqF A == 0) = (A == 0).
Proof.
apply/eqP/eqP => [|->]; last by rewrite /sqF frob0l.
rewrite /sqF frobE => /eqP; rewrite psumr_eq0 => [/allP h|i _]; last first.
  by apply: sumr_ge0 => j _; exact: sqr_ge0.
apply/matrixP => i j; rewrite mxE; move: (h i (mem_index_enum _)) => /=.
rewrite psumr_eq0 => [/allP h2|k _]; last exact: sqr_ge0.
by move: (h2 j (mem_index_enum _)) => /=; rewrite mulf_eq0 orbb => /eqP.
Qed.
Lemma sqF0 m n : sqF (0 : 'M[R]_(m, n)) = 0.
Proof. by apply/eqP; rewrite sqF_eq0. Qed.
Lemma sqF_gt0 m n (A : 'M[R]_(m, n)) : (0 < sqF A) = (A != 0).
Proof. by rewrite lt_def sqF_eq0 sqF_ge0 andbT. Qed.
Lemma scale_sqF_ge0 m n a (A : 'M[R]_(m, n)) : 0 <= a -> 0 <= a * sqF A.
Proof. by move=> a0; rewrite mulr_ge0 ?sqF_ge0. Qed.
Lemma scale_sqF_eq0 m n a (A : 'M[R]_(m, n)) :
  0 < a -> (a * sqF A == 0) = (A == 0).
Proof. by move=> a0; rewrite mulf_eq0 gt_eqF //= sqF_eq0. Qed.
Lemma sqF_col_mx m1 m2 n (A : 'M[R]_(m1, n)) (B : 'M_(m2, n)) :
  sqF (col_mx A B) = sqF A + sqF B.
Proof.
rewrite /sqF !frob_rows big_split_ord /=.
by congr (_ + _); apply: eq_bigr => i _; rewrite ?rowKu ?rowKd.
Qed.

(** Two matrices with the same Gram matrix vanish together. *)
Lemma gram_eq0 m n (A : 'M[R]_(m, n)) : (A^T *m A == 0) = (A == 0).
Proof.
apply/eqP/eqP => [e|->]; last by rewrite mulmx0.
by apply/eqP; rewrite -sqF_eq0 -sqF_tr /sqF frob_def trmxK e mxtrace0.
Qed.

(** ** Inequalities *)

(** 2 <A, B> <= |A|^2 + |B|^2, with equality exactly when A = B. *)
Lemma frob_young m n (A B : 'M[R]_(m, n)) :
  2%:R * frob A B <= sqF A + sqF B.
Proof. by have := sqF_ge0 (A - B); rewrite sqFB addrAC subr_ge0. Qed.

(** |A + B|^2 <= 2 |A|^2 + 2 |B|^2 *)
Lemma sqFD_le m n (A B : 'M[R]_(m, n)) :
  sqF (A + B) <= 2%:R * sqF A + 2%:R * sqF B.
Proof.
rewrite -subr_ge0; have -> : 2%:R * sqF A + 2%:R * sqF B - sqF (A + B) = sqF (A - B).
  by rewrite sqFD sqFB; ring.
exact: sqF_ge0.
Qed.

(** Cauchy-Schwarz: <A, B>^2 <= |A|^2 |B|^2 *)
Lemma cauchy_schwarz m n (A B : 'M[R]_(m, n)) :
  frob A B ^+ 2 <= sqF A * sqF B.
Proof.
have [->|B0] := eqVneq B 0; first by rewrite frob0r sqF0 mulr0 expr0n.
have b0 : 0 < sqF B by rewrite sqF_gt0.
have := sqF_ge0 (sqF B *: A - frob A B *: B).
rewrite sqFB !sqFZ frobZl frobZr.
have -> : sqF B ^+ 2 * sqF A - 2%:R * (sqF B * (frob A B * frob A B))
          + frob A B ^+ 2 * sqF B = sqF B * (sqF A * sqF B - frob A B ^+ 2).
  by ring.
by rewrite pmulr_rge0 // subr_ge0.
Qed.

(** |A B|^2 <= |A|^2 |B|^2 *)
Lemma sqFM_le m p n (A : 'M[R]_(m, p)) (B : 'M_(p, n)) :
  sqF (A *m B) <= sqF A * sqF B.
Proof.
have eA : sqF A = \sum_i sqF (row i A) by rewrite /sqF frob_rows.
have eB : sqF B = \sum_j sqF (row j B^T) by rewrite -sqF_tr /sqF frob_rows.
rewrite eA eB {1}/sqF frobE mulr_suml; apply: ler_sum => i _.
rewrite mulr_sumr; apply: ler_sum => j _.
apply: le_trans (cauchy_schwarz _ _); rewrite frobE big_ord_recl big_ord0 addr0.
rewrite mxE expr2 le_eqVlt; apply/orP; left; apply/eqP.
by congr (_ * _); apply: eq_bigr => k _; rewrite !mxE.
Qed.
End Frobenius.
